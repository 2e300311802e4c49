"""What a visitor takes away, one module a form: PNG, zip, Python, address, animation; and the way back from each.

A form is made of a session and holds nothing of the page. What a recipe is, `latentlab.recipe` says.
"""

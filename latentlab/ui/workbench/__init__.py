"""The workbench: the pictures in hand, where they come from, and how every model rebuilds them.

It is always in sight. What becomes of a picture is shown by `ui.stage`, chosen by `session.pictures`.
"""

"""The tab Compare: classifiers side by side.

What is measured is in `latentlab.comparison`, how its events become a table is in `session.runs`.
"""

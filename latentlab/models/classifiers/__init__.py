"""Classifiers: the networks that are attacked, trained and explained.

The readable form (`resnet`, `airbench`) stands beside the fast one (`inference`); `external` makes classifiers of the
weights and modules that people bring. How a classifier learns is said in `training`, how good it is in `metrics`.
"""

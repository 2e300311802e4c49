"""Glow, a normalizing flow: its readable form, its fast form, and the pieces that the fast form is made of.

`flow` is to be read beside the paper; `inference` computes the same for attacks and previews, with the products, masks
and states of the other modules. How a Glow learns is said in `training.fitters`.
"""

"""One module for each kind of network that can be fitted, and the two helpers of the StyleGAN2's discriminator.

A fitter knows its losses and optimisers and makes one update; the loop, averaging, resuming and the card are the same
for all and are in `training`.
"""

"""StyleGAN2: a generator with an encoder, in its readable form and its fast form, and what an encoding is improved by.

Also here are the discriminator, which a fit needs, and the reading of published weights (`convert`). How they learn is
said in `training.fitters`.
"""

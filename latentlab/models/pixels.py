"""The identity model: pixels are one more latent space."""

from __future__ import annotations

import torch
from torch import Tensor

from latentlab.errors import UserError
from latentlab.types import Images, ImageShape, Latents


class Pixels:
    """The identity: images are their own latents, so ε is intensity and λ is ordinary mixup."""

    bounds = (0.0, 1.0)

    def __init__(self, image_shape: ImageShape) -> None:
        self.image_shape = image_shape
        self.directions: dict[str, Tensor] = {}

    def encode(self, images: Images) -> Latents:
        return Latents({"pixels": images})

    def decode(self, latents: Latents) -> Images:
        return latents.parts["pixels"]

    def sample(self, count: int, rng: torch.Generator) -> Latents:
        raise UserError("Pixels have no prior to draw from; choose a Glow, VAE or StyleGAN2.")

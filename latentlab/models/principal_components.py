"""Principal components of images: the straight-line code that a network of the same size has to beat."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Real
from torch import Tensor

from latentlab import chance
from latentlab.types import Flat, Images

ITERATIONS = 6  # of subspace iteration
SPARE_COLUMNS = 32  # columns beyond those asked for: the last components settle sooner


@dataclass(frozen=True, eq=False)
class PrincipalComponents:
    """The mean image and the axes of largest variance, the largest first."""

    mean: Float[Tensor, " P"]
    axes: Float[Tensor, "D P"]  # orthonormal
    deviations: Float[Tensor, " D"]  # of the training images along each

    def encode(self, images: Images) -> Flat:
        return (images.flatten(1) - self.mean) @ self.axes.T

    def decode(self, codes: Flat, shape: tuple[int, ...]) -> Images:
        return (self.mean + codes @ self.axes).view(-1, *shape)


@torch.no_grad()
def find_principal_components(images: Real[Tensor, "N C H W"], count: int, seed: int = 0) -> PrincipalComponents:
    """Find those of images of 256 levels by subspace iteration.

    A covariance of all pixels of larger images would not fit.
    """
    flat = images.flatten(1).float() / 255
    mean = flat.mean(0)
    flat -= mean
    basis = chance.draw_normal((flat.shape[1], count + SPARE_COLUMNS), chance.make_generator(seed))
    for _ in range(ITERATIONS):
        basis = torch.linalg.qr(flat.T @ (flat @ basis))[0]
    _, singular, turned = torch.linalg.svd(flat @ basis, full_matrices=False)
    axes = (turned @ basis.T)[:count]
    return PrincipalComponents(mean, axes, singular[:count] / max(1, len(flat) - 1) ** 0.5)

"""Principal components of latent codes, each as long as one standard deviation along it."""

from __future__ import annotations

from torch import Tensor, sign
from torch.linalg import eigh

from latentlab.types import Flat

PRINCIPAL_DIRECTIONS = 8


def find_principal_directions(codes: Flat, count: int = PRINCIPAL_DIRECTIONS) -> dict[str, Tensor]:
    """Return the first components, found by the small side: the Gram matrix of the images."""
    centred = codes - codes.mean(0)
    _, vectors = eigh((centred @ centred.T).double())
    directions = {}
    for i in range(1, min(count, len(codes) - 1) + 1):
        axis = vectors[:, -i].float() @ centred  # length √value
        axis = axis * sign(axis[axis.abs().argmax()])  # an eigenvector's sign is free: fix it
        directions[f"pc{i}"] = axis / (len(codes) - 1) ** 0.5
    return directions

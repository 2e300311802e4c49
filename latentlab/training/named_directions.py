"""Named directions of a latent space are found once per checkpoint, from encoded training images.

Principal components as in GANSpace (Härkönen et al. 2020, arXiv 2004.02546); a label's direction runs from the mean
code without it to the mean code with it, as in Glow (Kingma, Dhariwal 2018, section 5); an attribute's is what it adds
while all others stay, or a smile would make women. Each is as long as one standard deviation along it.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from latentlab import chance
from latentlab.datasets import Dataset
from latentlab.principal_directions import find_principal_directions
from latentlab.types import Flat, LatentModel

ENCODED_IMAGES = 3000
RIDGE = 0.01  # of a variance of 1: attributes may say nearly the same
FEWEST_LABELLED = 30  # images with and without a label, below which its direction would be noise


def find_directions(model: LatentModel, world: Dataset) -> dict[str, Tensor]:
    """Return the principal directions and those of the labels, by name."""
    rows = chance.draw_permutation(len(world.train), chance.make_generator(0))[:ENCODED_IMAGES]
    codes = encode_rows(model, world, rows)
    labels = world.train.labels[rows]
    if world.multilabel:
        return find_principal_directions(codes) | find_attribute_directions(codes, labels, world.classes)
    marks = F.one_hot(labels, max(len(world.classes), 1))
    return find_principal_directions(codes) | find_label_directions(codes, marks, world.classes)


def encode_rows(model: LatentModel, world: Dataset, rows: Tensor, size: int = 100) -> Flat:
    """Return the codes of these training images, `size` at a time."""
    assert isinstance(model, nn.Module)  # every model that is fitted is a network
    device = next(model.parameters()).device
    batches = (world.train.take_batch(chunk)[0] for chunk in rows.split(size))
    return torch.cat([model.encode(images.to(device)).flat.cpu() for images in batches])


def find_label_directions(codes: Flat, marks: Tensor, names: tuple[str, ...]) -> dict[str, Tensor]:
    """Return a direction for each label that enough of the images have and enough have not."""
    return {
        names[index]: scale_direction(codes[marks[:, index] == 1].mean(0) - codes[marks[:, index] != 1].mean(0), codes)
        for index in list_usable_labels(marks)
    }


def find_attribute_directions(codes: Flat, marks: Tensor, names: tuple[str, ...]) -> dict[str, Tensor]:
    """Return the same of attributes that go together, each by its coefficients in a regression of the codes on all."""
    usable = list_usable_labels(marks)
    seen = marks[:, usable].float()
    seen = (seen - seen.mean(0)) / seen.std(0)
    covariance = seen.T @ seen / len(seen) + RIDGE * torch.eye(len(usable))
    added = torch.linalg.solve(covariance, seen.T @ (codes - codes.mean(0)) / len(seen))
    return {names[index]: scale_direction(axis, codes) for index, axis in zip(usable, added, strict=True)}


def list_usable_labels(marks: Tensor) -> list[int]:
    """List the labels that enough of the images have and enough have not."""
    counts = (marks == 1).sum(0).tolist()
    return [i for i, count in enumerate(counts) if FEWEST_LABELLED <= count <= len(marks) - FEWEST_LABELLED]


def scale_direction(axis: Float[Tensor, " D"], codes: Flat) -> Float[Tensor, " D"]:
    """Return the axis as long as one standard deviation of the codes along it."""
    unit = F.normalize(axis, dim=0)
    return unit * (codes @ unit).std()

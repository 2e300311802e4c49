"""Named directions of a latent space are found once per checkpoint, from encoded training images.

Principal components as in GANSpace (Härkönen et al. 2020, arXiv 2004.02546); a label's direction runs from the mean
code without it to the mean code with it, as in Glow (Kingma, Dhariwal 2018, section 5). Each is as long as one standard
deviation along it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from latentlab import chance
from latentlab.datasets import Dataset
from latentlab.principal_directions import find_principal_directions
from latentlab.types import Flat, LatentModel

ENCODED_IMAGES = 3000
FEWEST_LABELLED = 30  # images with and without a label, below which its direction would be noise


def find_directions(model: LatentModel, world: Dataset) -> dict[str, Tensor]:
    """Return the principal directions and those of the labels, by name."""
    rows = chance.draw_permutation(len(world.train), chance.make_generator(0))[:ENCODED_IMAGES]
    codes = encode_rows(model, world, rows)
    labels = world.train.labels[rows]
    marks = labels if world.multilabel else F.one_hot(labels, max(len(world.classes), 1))
    return find_principal_directions(codes) | find_label_directions(codes, marks, world.classes)


def encode_rows(model: LatentModel, world: Dataset, rows: Tensor, size: int = 100) -> Flat:
    """Return the codes of these training images, `size` at a time."""
    assert isinstance(model, nn.Module)  # every model that is fitted is a network
    device = next(model.parameters()).device
    batches = (world.train.take_batch(chunk)[0] for chunk in rows.split(size))
    return torch.cat([model.encode(images.to(device)).flat.cpu() for images in batches])


def find_label_directions(codes: Flat, marks: Tensor, names: tuple[str, ...]) -> dict[str, Tensor]:
    """Return a direction for each label that enough of the images have and enough have not."""
    directions = {}
    for index, name in enumerate(names):
        has = marks[:, index] == 1
        if FEWEST_LABELLED <= int(has.sum()) <= len(has) - FEWEST_LABELLED:
            unit = F.normalize(codes[has].mean(0) - codes[~has].mean(0), dim=0)
            directions[name] = unit * (codes @ unit).std()
    return directions

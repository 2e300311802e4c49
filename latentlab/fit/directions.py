"""Named directions of a latent space, found once per checkpoint from encoded training images.

Principal components as in GANSpace (Härkönen et al. 2020, arXiv 2004.02546); a label's direction runs from the mean
code without it to the mean code with it, as in Glow (Kingma, Dhariwal 2018, section 5). Each is as long as one standard
deviation along it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from latentlab import chance
from latentlab.data import World
from latentlab.types import Flat, LatentModel

COMPONENTS = 8
IMAGES = 3000
FEWEST = 30  # images with and without a label, below which its direction would be noise


def principal_and_named(model: LatentModel, world: World) -> dict[str, Tensor]:
    rows = chance.permutation(len(world.train), chance.seeded(0))[:IMAGES]
    codes = encode_all(model, world, rows)
    labels = world.train.labels[rows]
    marks = labels if world.multilabel else F.one_hot(labels, len(world.classes))
    return principal(codes) | named(codes, marks, world.classes)


def encode_all(model: LatentModel, world: World, rows: Tensor, size: int = 100) -> Flat:
    assert isinstance(model, nn.Module)  # every model that is fitted is a network
    device = next(model.parameters()).device
    batches = (world.train.batch(chunk)[0] for chunk in rows.split(size))
    return torch.cat([model.encode(images.to(device)).flat.cpu() for images in batches])


def principal(codes: Flat) -> dict[str, Tensor]:
    """The first components, by the small side: the Gram matrix of the images."""
    centred = codes - codes.mean(0)
    _, vectors = torch.linalg.eigh((centred @ centred.T).double())
    directions = {}
    for i in range(1, COMPONENTS + 1):
        axis = vectors[:, -i].float() @ centred  # length √value
        axis = axis * torch.sign(axis[axis.abs().argmax()])  # an eigenvector's sign is free: fix it
        directions[f"pc{i}"] = axis / (len(codes) - 1) ** 0.5
    return directions


def named(codes: Flat, marks: Tensor, names: tuple[str, ...]) -> dict[str, Tensor]:
    directions = {}
    for index, name in enumerate(names):
        has = marks[:, index] == 1
        if FEWEST <= int(has.sum()) <= len(has) - FEWEST:
            unit = F.normalize(codes[has].mean(0) - codes[~has].mean(0), dim=0)
            directions[name] = unit * (codes @ unit).std()
    return directions

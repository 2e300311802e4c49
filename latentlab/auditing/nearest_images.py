"""How far an image is from the nearest real one: in what the judge sees just before it decides."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import nn

from latentlab import chance
from latentlab.auditing.image_source import ChosenRows
from latentlab.datasets import Dataset
from latentlab.embeddings import choose_embedding, embed_images
from latentlab.errors import UserError
from latentlab.projections.neighbours import find_neighbours
from latentlab.types import Flat, Images

REAL_IMAGES = 2000  # training images among which the nearest is looked for


@dataclass(frozen=True, eq=False)
class NearestImages:
    """The features of real images, and the network that has them."""

    network: nn.Module
    features: Flat

    def measure_distances(self, images: Images) -> Float[torch.Tensor, " B"]:
        return find_neighbours(embed_images(self.network, images), self.features, 1)[0][:, 0]


def collect_nearest_images(network: nn.Module, world: Dataset, seed: int, left_out: ChosenRows) -> NearestImages | None:
    """Take the features of training images, but of those that are left out; None where the network has none to see."""
    try:
        choose_embedding(network)
    except UserError:
        return None
    order = chance.draw_permutation(len(world.train), chance.make_generator(seed))
    rows = order[~torch.isin(order, left_out)][:REAL_IMAGES]
    if not len(rows):
        return None
    features = [embed_images(network, world.train.take_batch(few)[0]) for few in rows.split(100)]
    return NearestImages(network, torch.cat(features))

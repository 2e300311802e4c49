"""Codes of some of a world's own images in each of its spaces, found once: neighbours are sought among them."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Lock

import torch

from latentlab.chance import draw_permutation, make_generator
from latentlab.datasets import load_world
from latentlab.operators.latent_operator import encode
from latentlab.operators.local_directions import REFERENCE_COUNT
from latentlab.types import Flat, LatentModel

ENCODING_SIZE = 8  # images encoded at a time


class ReferenceCodes:
    """The codes by what identifies a model and its world."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, ...], Flat] = {}
        self._lock = Lock()

    @torch.no_grad()
    def encode_stepwise(
        self, key: tuple[str, ...], model: LatentModel, world: str, device: torch.device
    ) -> Iterator[Flat]:
        """Yield the codes that are there after each step; the last are all of them, always of the same images."""
        if key not in self._found:
            train = load_world(world).train
            rows = draw_permutation(len(train), make_generator(0))[:REFERENCE_COUNT]
            codes = torch.empty(0)
            for few in rows.split(ENCODING_SIZE):
                more = encode(model, train.take_batch(few)[0].to(device)).flat
                codes = torch.cat([codes.to(more), more])
                yield codes
            with self._lock:
                self._found[key] = codes
        yield self._found[key]

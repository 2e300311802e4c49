"""This module chooses which training images a run learns from, and which it is judged by while it runs."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Int64
from torch import Tensor

from latentlab import chance
from latentlab.datasets import Dataset
from latentlab.errors import UserError

TrainingRows = Int64[Tensor, " _"]  # of any number


def stratify_rows(labels: Int64[Tensor, " N"], share: float, seed: int, least: int = 1) -> TrainingRows:
    """Return this share of every class, in order; a larger share of the same seed contains a smaller."""
    order = chance.draw_permutation(len(labels), chance.make_generator(seed))
    classes = [order[labels[order] == label] for label in labels.unique().tolist()]
    return torch.cat([rows[: max(least, round(share * len(rows)))] for rows in classes]).sort().values


def split_rows(
    world: Dataset, rows: Sequence[int], fraction: float, validation: float, seed: int
) -> tuple[TrainingRows, TrainingRows]:
    """Return the rows to learn from and the rows to be judged by.

    Copies of one picture in other colours stay together: none is on both sides, and a fraction is one of pictures.
    """
    if bad := [row for row in rows if row >= len(world.train)]:
        raise UserError(f"There is no training image {bad[0]} in {world.name}; its last is {len(world.train) - 1}.")
    stretch = len(world.train) // world.copies
    chosen = torch.tensor(sorted(set(rows)), dtype=torch.int64) if rows else torch.arange(len(world.train))
    pictures = (chosen % stretch).unique()
    labels = world.train.labels[pictures]
    kept = pictures[stratify_rows(labels, fraction, seed)] if fraction < 1 else pictures
    held = kept[stratify_rows(world.train.labels[kept], validation, seed + 1, least=0)]
    learned = kept[~torch.isin(kept, held)]
    if not len(learned):
        raise UserError(
            f"No image is left to learn from: {len(kept)} are chosen and {len(held)} held out; choose more, or set "
            "validation to 0."
        )
    return _find_copies(chosen, learned, stretch), _find_copies(chosen, held, stretch)


def _find_copies(chosen: TrainingRows, pictures: TrainingRows, stretch: int) -> TrainingRows:
    return chosen[torch.isin(chosen % stretch, pictures)]

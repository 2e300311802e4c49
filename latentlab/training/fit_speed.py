"""How fast a fit would learn, and the budget that follows: some updates are made, timed and thrown away."""

from __future__ import annotations

import copy
import math

import torch

from latentlab.chance import draw_permutation, make_generator
from latentlab.datasets import Dataset
from latentlab.models.kinds import KINDS
from latentlab.training.resume_state import TrainingProgress
from latentlab.training.temperature import CalibratedFitter
from latentlab.training.update_loop import BatchOrder, Fitter, iterate_updates

MEASURE_SECONDS = 2.0
FIRST_IMAGES = 256


def measure_fit_speed(kind: str, world: Dataset, device: str, seconds: float = MEASURE_SECONDS) -> float:
    """Return images a second, over so long and two updates at least; the first one is not counted."""
    with torch.random.fork_rng(devices=[]):
        fitter: Fitter = KINDS[kind].load_fitter()(world, device)
    if isinstance(fitter, CalibratedFitter):
        world = fitter.hold_out(world)
    average = copy.deepcopy(fitter.network).requires_grad_(False)
    fitter.modules.to(device)
    average.to(device)
    rows = draw_permutation(len(world.train), make_generator(0))[:FIRST_IMAGES]
    fitter.begin(world.train.take_batch(rows)[0].to(device))
    seen: list[TrainingProgress] = []
    order = BatchOrder(world.train, fitter.batch, 0, device, (0, 1))

    def is_enough(now: TrainingProgress) -> float:
        return float(now.step >= 2 and now.seconds >= seconds)

    for progress, _ in iterate_updates(fitter, average, order, TrainingProgress(), is_enough):
        seen.append(progress)
    return (seen[-1].images_seen - seen[0].images_seen) / max(seen[-1].seconds - seen[0].seconds, 1e-6)


def propose_minutes(kind: str, images_per_second: float) -> int:
    """Return whole minutes in which the kind sees the images that a first useful network has seen."""
    return max(1, math.ceil(KINDS[kind].useful_images / images_per_second / 60))

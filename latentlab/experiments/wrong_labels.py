"""Greenewald et al. 2023 (k-mixup) on digits of which four in ten have a wrong label: does the match regularise more?

For each k there is a mixup whose α is lowered until it moves images as far as that k does: nearness without a match.
"""

from __future__ import annotations

from functools import partial

import torch

from latentlab import datasets
from latentlab.chance import draw_permutation, make_generator
from latentlab.experiments.experiment import ArmSettings, Claim, Effort, Experiment, Figure
from latentlab.experiments.mixing_size import match_alpha
from latentlab.experiments.training_arms import TrainingArm, measure_training_cell, settle_training_arms
from latentlab.models.networks import NetworkSource
from latentlab.operators.pairing import pair_at_random, pair_by_transport
from latentlab.training.augmented import Augmentation

WORLD = "digits-mislabelled"
ALPHA = 10.0  # of every k, as in AnmingGu/kmixup-cifar10
BLOCK_SIZES = (4, 16, 64)  # k
BATCH, SIZE_DRAWS = 128, 20
PROTOCOL = {"network": "resnet", "fraction": 0.1, "validation": 0, "batch": BATCH}


def settle_mixing_arms(effort: Effort, networks: NetworkSource) -> dict[str, ArmSettings]:
    """Settle for each k the α at which mixup moves as far. How far an image is from itself is left out: at a small λ
    it is its partner, so its distance is none from the nearer of the two.
    """
    whole = _measure_partners(1)
    arms = {"standard": TrainingArm((), WORLD), "mixup": _mix("mixup", alpha=ALPHA)}
    for k in BLOCK_SIZES:
        near = round(match_alpha(ALPHA, _measure_partners(k) / whole), 4)
        arms |= {f"k-mixup {k}": _mix("k-mixup", k=k), f"mixup as near as {k}": _mix("mixup", alpha=near)}
    settled = settle_training_arms(arms, effort, networks)
    return {name: {"config": arm["config"]} for name, arm in settled.items()}


def _mix(method: str, **settings: float) -> TrainingArm:
    return TrainingArm((Augmentation(method, dict(settings)),), WORLD)


def _measure_partners(k: int) -> float:
    """Measure the mean squared distance of the partners in a batch; who is his own partner counts as 0."""
    world, rng, squares = datasets.load_world(WORLD), make_generator(0), []
    for _ in range(SIZE_DRAWS):
        flat = world.train.take_batch(draw_permutation(len(world.train), rng)[:BATCH])[0].flatten(1)
        partner = pair_by_transport(flat, k, rng) if k > 1 else pair_at_random(BATCH, rng)
        squares.append((flat - flat[partner]).square().sum(1).mean())
    return float(torch.stack(squares).mean())


WRONG_LABELS = Experiment(
    title="matched partners regularise more than random ones where labels are wrong",
    paper="k-mixup (Greenewald et al. 2023)",
    full=Effort(seeds=5, steps=150, images=64),
    quick=Effort(seeds=2, steps=2, images=8),
    figures={
        "accuracy": Figure("test digits"),
        "corrupted": Figure("under corruptions"),
        "nll": Figure("NLL", is_share=False, higher_is_better=False, is_plotted=False),
    },
    claims=(
        Claim("k-mixup 16 over mixup", "k-mixup 16", "mixup", "accuracy", is_published=True),
        Claim("k-mixup 64 over mixup", "k-mixup 64", "mixup", "accuracy"),
        Claim("mixup over standard", "mixup", "standard", "accuracy"),
        Claim("the match, not the nearness: over mixup as near", "k-mixup 16", "mixup as near as 16", "accuracy"),
    ),
    settle_arms=settle_mixing_arms,
    measure_cell=partial(measure_training_cell, PROTOCOL),
    notes=(
        f"α is {ALPHA:g} for every k; “as near as k”: mixup whose α is lowered until E[min(λ, 1−λ)²] d² is that of k.",
        f"As in the published code both sets are one batch, here of {BATCH}: at k 64 half of the images are their own "
        "partners.",
    ),
)

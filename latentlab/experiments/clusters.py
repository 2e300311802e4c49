"""Greenewald et al. 2023 (k-mixup): matched partners keep a mix on clusters and curves, and that helps to generalise.

For each k there is a mixup whose α is lowered until it moves points as far as that k does: nearness without a match.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import one_hot

from latentlab.chance import draw_permutation, make_generator
from latentlab.experiments.experiment import ArmSettings, Cell, Claim, Effort, Experiment, Figure, Scores
from latentlab.experiments.mixing_size import match_alpha
from latentlab.experiments.planar_networks import PlanarNetworks, PointSets, PointTargets, train_planar_networks
from latentlab.models.networks import NetworkSource
from latentlab.toys import TOY_SETS, PlanePoints, PointCloud, count_off_support, mix_points

EVERY_SET = "all sets"
ALPHA = 1.0  # of every k, as the published code has one α for all
BATCH_SIZES = (4, 16)  # k
TRAINING_POINTS, TEST_POINTS = 32, 2000  # with 128 hardly a network of any arm was wrong
SIZE_SETS, SIZE_DRAWS = 50, 10  # sets of training points by which partners' distances are measured, and mixes of each
ARCS = 8  # of the ring, of two classes in turn

PlaneLabels = Int[Tensor, " N"]


def label_points(name: str, cloud: PointCloud) -> PlaneLabels:
    """Return the class of each point: its moon or bar; arcs of the ring in turn; the inner or the outer turn of the
    roll. What the paper's own classes are is not known.
    """
    if name == "ring":
        angle = torch.atan2(cloud.points[:, 1], cloud.points[:, 0])
        return ((angle + math.pi) / (2 * math.pi) * ARCS).long() % 2
    if name == "roll":
        return (cloud.points.norm(dim=1) > 0.75).long()
    return cloud.labels % 2


def settle_cluster_arms(effort: Effort, networks: NetworkSource) -> dict[str, ArmSettings]:
    """Settle for each set the arms, and the α at which plain mixup moves its points as far as each k."""
    return {
        f"{name}: {arm}": {"set": name, **settings}
        for name in TOY_SETS
        for arm, settings in _list_set_arms(name).items()
    }


def _list_set_arms(name: str) -> dict[str, ArmSettings]:
    whole = _measure_partners(name, "mixup", 1)
    arms: dict[str, ArmSettings] = {
        "standard": {"rule": "", "k": 1, "alpha": 0.0},
        "mixup": {"rule": "mixup", "k": 1, "alpha": ALPHA},
    }
    for k in BATCH_SIZES:
        shrinkage = _measure_partners(name, "k-mixup", k) / whole
        arms[f"k-mixup {k}"] = {"rule": "k-mixup", "k": k, "alpha": ALPHA}
        arms[f"mixup as near as {k}"] = {"rule": "mixup", "k": 1, "alpha": round(match_alpha(ALPHA, shrinkage), 4)}
    return arms


def _measure_partners(name: str, rule: str, k: int) -> float:
    """Measure the mean squared distance of the partners."""
    rng, squares = make_generator(0), []
    for _ in range(SIZE_SETS):
        points = TOY_SETS[name].sample(TRAINING_POINTS, rng).points
        pairs = torch.cat([mix_points(points, rule, k, rng, 0.5).pairs for _ in range(SIZE_DRAWS)])
        squares.append((points[pairs[:, 0]] - points[pairs[:, 1]]).square().sum(1).mean())
    return float(torch.stack(squares).mean())


def measure_cluster_cell(cell: Cell, arm: ArmSettings, effort: Effort, place: Path, networks: NetworkSource) -> Scores:
    """Train a network for every seed, on points of that seed alone, and count the mixed points off the support."""
    toy, generators = TOY_SETS[arm["set"]], [make_generator(seed) for seed in cell.seeds]
    clouds = [toy.sample(TRAINING_POINTS, rng) for rng in generators]
    labels = [label_points(arm["set"], cloud) for cloud in clouds]
    learners = PlanarNetworks(2, generators)
    batches = _iterate_batches([cloud.points for cloud in clouds], labels, arm, generators)
    train_planar_networks(learners, batches, effort.steps)
    tests = [toy.sample(TEST_POINTS, make_generator(10_000 + seed)) for seed in cell.seeds]
    with torch.no_grad():
        answers = learners(torch.stack([test.points for test in tests])).argmax(2)
    truths = torch.stack([label_points(arm["set"], test) for test in tests])
    scores = {"accuracy": (answers == truths).float().mean(1).tolist()}
    if arm["rule"]:
        scores["off"] = [_share_off_support(arm, cloud, rng) for cloud, rng in zip(clouds, generators, strict=True)]
    return scores


def _iterate_batches(
    points: list[PlanePoints], labels: list[PlaneLabels], arm: ArmSettings, generators: list[torch.Generator]
) -> Iterator[tuple[PointSets, PointTargets]]:
    targets = [one_hot(own, 2).float() for own in labels]
    while True:
        seeds = zip(points, targets, generators, strict=True)
        drawn = [_draw_batch(own, soft, arm, rng) for own, soft, rng in seeds]
        yield torch.stack([batch for batch, _ in drawn]), torch.stack([mixed for _, mixed in drawn])


def _draw_batch(
    points: PlanePoints, targets: Tensor, arm: ArmSettings, rng: torch.Generator
) -> tuple[Float[Tensor, "M 2"], Float[Tensor, "M K"]]:
    """Draw half as many as there are, mixed or not."""
    if not arm["rule"]:
        rows = draw_permutation(len(points), rng)[: len(points) // 2]
        return points[rows], targets[rows]
    mixed = mix_points(points, arm["rule"], arm["k"], rng, alpha=arm["alpha"])
    a, b = mixed.pairs.unbind(1)
    return mixed.points, torch.lerp(targets[b], targets[a], mixed.weights[:, None])


def _share_off_support(arm: ArmSettings, cloud: PointCloud, rng: torch.Generator) -> float:
    toy, draws = TOY_SETS[arm["set"]], 20
    mixed = torch.cat(
        [mix_points(cloud.points, arm["rule"], arm["k"], rng, alpha=arm["alpha"]).points for _ in range(draws)]
    )
    return count_off_support(toy, mixed) / len(mixed)


def average_sets(found: dict[str, Scores]) -> dict[str, Scores]:
    """Put before the rows of the sets, for each arm, its mean over them seed by seed."""
    kinds = list(dict.fromkeys(name.partition(": ")[2] for name in found))
    means = {_name_arm(kind): _average_arm([found[f"{name}: {kind}"] for name in TOY_SETS]) for kind in kinds}
    return means | found


def _average_arm(scores: list[Scores]) -> Scores:
    return {figure: torch.tensor([one[figure] for one in scores]).double().mean(0).tolist() for figure in scores[0]}


def _name_arm(kind: str) -> str:
    return f"{EVERY_SET}: {kind}"


CLUSTERS = Experiment(
    title="matched partners keep clusters and curves, which helps to generalise",
    paper="k-mixup (Greenewald et al. 2023)",
    full=Effort(seeds=20, steps=2000, images=0),
    quick=Effort(seeds=2, steps=2, images=0),
    figures={
        "off": Figure("mixed points off the support", higher_is_better=False),
        "accuracy": Figure("accuracy on fresh points"),
    },
    claims=(
        Claim(
            "k-mixup 16 stays on the support more than mixup",
            _name_arm("k-mixup 16"),
            _name_arm("mixup"),
            "off",
            is_published=True,
        ),
        Claim(
            "k-mixup 16 generalises better than mixup",
            _name_arm("k-mixup 16"),
            _name_arm("mixup"),
            "accuracy",
            is_published=True,
        ),
        Claim(
            "the match, not the nearness: better than mixup as near",
            _name_arm("k-mixup 16"),
            _name_arm("mixup as near as 16"),
            "accuracy",
        ),
        Claim(
            "the match, not the nearness: more on the support than mixup as near",
            _name_arm("k-mixup 16"),
            _name_arm("mixup as near as 16"),
            "off",
        ),
        Claim(
            "k-mixup 16 generalises better than standard training",
            _name_arm("k-mixup 16"),
            _name_arm("standard"),
            "accuracy",
        ),
    ),
    settle_arms=settle_cluster_arms,
    measure_cell=measure_cluster_cell,
    derive_figures=average_sets,
    measures_seeds_together=True,
    notes=(
        f"α is {ALPHA:g} for every k; “as near as k”: mixup whose α is lowered until E[min(λ, 1−λ)²] d² is that of k.",
        "Classes are ours: moons; bars in turn; arcs of the ring in turn; inner and outer turn of the roll.",
    ),
)

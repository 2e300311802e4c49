"""Mangla et al. 2020 (VarMixup): robust to corruptions, calibrated, locally linear; and what blur alone does of it.

A VAE loses detail, and who learns from blurred images minds blur less: Mixup-R and mixup of images that are blurred as
far as the VAE moves them are the controls.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, partial
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import one_hot

from latentlab import chance, datasets, metrics, models
from latentlab.datasets import Dataset
from latentlab.experiments.experiment import ArmSettings, Cell, Claim, Effort, Experiment, Figure, Scores
from latentlab.experiments.training_arms import TrainingArm, measure_training_cell, settle_training_arms
from latentlab.metrics.intervals import predict_logits
from latentlab.models import Pixels
from latentlab.models.networks import NetworkSource
from latentlab.operators import CORRUPTIONS
from latentlab.runs import layout
from latentlab.training.augmented import Augmentation
from latentlab.training.augmented.subset import split_rows
from latentlab.training.temperature import find_temperature, measure_calibration_error
from latentlab.types import Batch, Bench, Logits

WORLD, BASELINE = "digits", "standard"
SEVERITIES = (1, 2, 3, 4, 5)
FAMILIES: dict[str, tuple[str, ...]] = {
    "noise": ("gaussian_noise", "shot_noise", "impulse_noise"),
    "blur": ("defocus_blur", "glass_blur", "motion_blur", "zoom_blur"),
    "weather": ("snow", "frost", "fog", "brightness"),
    "digital": ("contrast", "elastic_transform", "pixelate", "jpeg_compression"),
}
LINEARITY_STEPS, LINEARITY_STARTS = 30, 4  # of the ascent: twice the starts raise γ by half a per cent
ARMS: dict[str, TrainingArm] = {
    BASELINE: TrainingArm(),
    "mixup": TrainingArm((Augmentation("mixup"),)),
    "rebuilt": TrainingArm((Augmentation("reconstruct", {}, "digits-vae"),)),
    "mixup-r": TrainingArm((Augmentation("mixup-r"),)),
    "varmixup": TrainingArm((Augmentation("varmixup"),)),
    "mixup of blurred": TrainingArm(
        (Augmentation("blur"), Augmentation("mixup")), WORLD, "rebuilt", "sigma", "from image"
    ),
}
PROTOCOL = {"network": "resnet", "fraction": 0.25, "validation": 0.2, "batch": 32}


def measure_corruption_cell(
    cell: Cell, arm: ArmSettings, effort: Effort, place: Path, networks: NetworkSource
) -> Scores:
    """Train the classifier, then measure it on test images: clean, corrupted in every way, and in its slopes."""
    scores = measure_training_cell(PROTOCOL, cell, arm, effort, place, networks)
    network = models.load_network(place / layout.RESULT_FILE, networks.device)[1]
    (seed,) = cell.seeds
    clean = _load_test(effort.images)
    scores = {"accuracy": scores["accuracy"]} | _measure_calibration(network, clean, seed)
    bench = _make_bench(network)
    few = Batch(clean.images[:100], clean.targets[:100])
    slopes = metrics.Linearity(steps=min(LINEARITY_STEPS, effort.steps), restarts=LINEARITY_STARTS)
    scores["gamma"] = [slopes(few, bench).value]
    for name in CORRUPTIONS:
        worse = [_corrupt_test(name, severity, effort.images) for severity in SEVERITIES]
        scores |= {
            f"{name} {severity}": [float(metrics.mark_correct(batch, bench).mean())]
            for severity, batch in zip(SEVERITIES, worse, strict=True)
        }
    return scores


@cache
def _load_world() -> Dataset:
    return datasets.load_world(WORLD)


@cache
def _load_test(count: int) -> Batch:
    world = _load_world()
    images, labels = world.test.take_batch(slice(0, count))
    return Batch(images, one_hot(labels, len(world.classes)).float())


@cache
def _corrupt_test(name: str, severity: int, count: int) -> Batch:
    """Corrupt the test images, the same for every arm and seed."""
    return CORRUPTIONS[name](severity=severity)(_load_test(count), _make_bench(None))


def _make_bench(network: nn.Module | None) -> Bench:
    return Bench(Pixels(_load_world().image_shape), network, chance.make_generator(0))


def _measure_calibration(network: nn.Module, clean: Batch, seed: int) -> Scores:
    """Measure the calibration error as it is, and at the temperature that suits the held-out training images."""
    world = _load_world()
    _, held = split_rows(world, (), PROTOCOL["fraction"], PROTOCOL["validation"], seed)
    images, labels = world.train.take_batch(held)
    targets = one_hot(labels, len(world.classes)).float()
    temperature = find_temperature(_predict(network, Batch(images, targets)), labels)
    logits, truth = _predict(network, clean), clean.targets.argmax(1)
    return {
        "ece": [measure_calibration_error(logits, truth)],
        "ece at temperature": [measure_calibration_error(logits / temperature, truth)],
        "temperature": [temperature],
    }


def _predict(network: nn.Module, batch: Batch) -> Logits:
    return predict_logits(batch, _make_bench(network))


def derive_corruption_errors(found: Mapping[str, Scores]) -> dict[str, Scores]:
    """Add mCE, the mean over corruptions of the error relative to the baseline's of the same seed (Hendrycks and
    Dietterich 2019), and the accuracy under each family.
    """
    return {
        arm: scores
        | {"mce": _compute_mce(scores, found[BASELINE])}
        | {family: _average_family(scores, names) for family, names in FAMILIES.items()}
        for arm, scores in found.items()
    }


def _average_family(scores: Scores, names: tuple[str, ...]) -> list[float]:
    rows = [scores[f"{name} {severity}"] for name in names for severity in SEVERITIES]
    return torch.tensor(rows).double().mean(0).tolist()


def _compute_mce(scores: Scores, baseline: Scores) -> list[float]:
    ratios = []
    for name in CORRUPTIONS:
        ours, theirs = (_sum_errors(which, name) for which in (scores, baseline))
        ratios.append(ours / theirs.clamp_min(1e-3))
    return torch.stack(ratios).mean(0).tolist()


def _sum_errors(scores: Scores, name: str) -> Float[Tensor, " S"]:
    return torch.tensor([scores[f"{name} {severity}"] for severity in SEVERITIES]).double().neg().add(1).sum(0)


CORRUPTION_ROBUSTNESS = Experiment(
    title="mixing in a VAE's code makes robust to corruptions, calibrated and locally linear",
    paper="VarMixup (Mangla et al. 2020)",
    full=Effort(seeds=5, steps=300, images=360),
    quick=Effort(seeds=2, steps=2, images=8),
    figures={
        "accuracy": Figure("clean"),
        "mce": Figure("mCE", higher_is_better=False),
        "noise": Figure("noise", is_plotted=False),
        "blur": Figure("blur"),
        "weather": Figure("weather", is_plotted=False),
        "digital": Figure("digital", is_plotted=False),
        "ece": Figure("ECE", higher_is_better=False),
        "ece at temperature": Figure("ECE at its T", higher_is_better=False),
        "gamma": Figure("γ, at least", is_share=False, higher_is_better=False),
        "temperature": Figure("temperature", is_share=False, is_plotted=False),
    },
    claims=(
        Claim("mCE of varmixup below standard's", "varmixup", BASELINE, "mce", is_published=True),
        Claim("mCE below mixup's", "varmixup", "mixup", "mce", is_published=True),
        Claim("ECE below mixup's", "varmixup", "mixup", "ece", is_published=True),
        Claim("γ below mixup's", "varmixup", "mixup", "gamma", is_published=True),
        Claim("the latent mix, not the rebuilding: mCE below mixup-r's", "varmixup", "mixup-r", "mce"),
        Claim("not lost detail: mCE below that of mixup of blurred images", "varmixup", "mixup of blurred", "mce"),
        Claim("ECE at its temperature below mixup's", "varmixup", "mixup", "ece at temperature"),
        Claim("no price: clean accuracy above standard's", "varmixup", BASELINE, "accuracy"),
        Claim("blur in training helps against blur", "mixup of blurred", "mixup", "blur"),
    ),
    settle_arms=partial(settle_training_arms, ARMS),
    measure_cell=measure_corruption_cell,
    derive_figures=derive_corruption_errors,
    notes=(
        "mCE: mean over 15 corruptions of the error summed over five severities, relative to standard's (100 %).",
        f"γ: deviation from linearity, l∞ 8/255, 100 images, {LINEARITY_STEPS} steps from {LINEARITY_STARTS} starts: a "
        "lower bound.",
        "The VAE was fitted on all training digits; blurred: as far as the VAE's rebuilding moves a picture.",
    ),
)

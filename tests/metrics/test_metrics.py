"""Metrics: numbers that a person can add up, other people's implementations, brute force."""

import pytest
import torch
from sklearn.metrics import accuracy_score, log_loss
from torch import nn
from torchmetrics.functional.classification import multiclass_calibration_error

from latentlab import metrics
from latentlab.chance import make_generator
from latentlab.errors import UserError
from latentlab.metrics import METRICS
from latentlab.models import Pixels
from latentlab.operators import CORRUPTIONS
from latentlab.torchvision_schemas import import_torchvision
from latentlab.types import Batch, Bench

SHAPE = (3, 8, 8)


class Linear(nn.Module):
    """Logits a pixel sum times a weight: everything about it can be worked out by hand."""

    def __init__(self, weights: torch.Tensor) -> None:
        super().__init__()
        self.weights = nn.Parameter(weights)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.flatten(1) @ self.weights


class Told(nn.Module):
    """Each image carries its own logits in its first pixels."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.flatten(1)[:, :4] * 6


@pytest.fixture
def batch():
    images = torch.rand(60, *SHAPE, generator=make_generator(1))
    return Batch(images, torch.eye(4)[torch.randint(4, (60,), generator=make_generator(2))])


def bench(classifier: nn.Module) -> Bench:
    return Bench(Pixels(SHAPE), classifier.eval(), make_generator(0))


def measure_metric(name: str, batch: Batch, classifier: nn.Module, **knobs):
    return METRICS[name](**knobs)(batch, bench(classifier))


def test_accuracy_and_wilson_by_hand():
    """8 of 10: (p + z²/2n ± z √(p(1−p)/n + z²/4n²)) / (1 + z²/n) with z = 1.96 is 0.490 to 0.943."""
    images = torch.zeros(10, *SHAPE)
    images[:, 0, 0, 0] = 1
    labels = torch.tensor([0] * 8 + [1] * 2)
    found = measure_metric("accuracy", Batch(images, torch.eye(4)[labels]), Told())
    assert found.value == pytest.approx(0.8)
    assert (found.low, found.high) == pytest.approx((0.4902, 0.9433), abs=2e-4)


def test_nll_by_hand():
    """All logits equal: log 4 nats for every image."""
    found = measure_metric("nll", Batch(torch.zeros(3, *SHAPE), torch.eye(4)[:3]), Told())
    assert found.value == pytest.approx(1.386294, abs=1e-6)
    assert found.low == pytest.approx(found.high)


def test_nll_and_ece_are_those_of_sklearn_and_torchmetrics(batch):
    import_torchvision()  # torchmetrics imports it
    logits, labels = Told()(batch.images), batch.targets.argmax(1)
    shares = logits.softmax(1)
    assert measure_metric("nll", batch, Told()).value == pytest.approx(log_loss(labels, shares.double()), rel=1e-5)
    assert measure_metric("accuracy", batch, Told()).value == pytest.approx(accuracy_score(labels, shares.argmax(1)))
    for bins in (5, 15):
        oracle = multiclass_calibration_error(shares, labels, 4, n_bins=bins)
        assert measure_metric("ece", batch, Told(), bins=bins).value == pytest.approx(float(oracle), abs=1e-6)


def test_the_reliability_diagram_adds_up_to_the_error(batch):
    found = measure_metric("ece", batch, Told())
    bins = [row for row in found.detail["bins"] if row["count"]]
    assert sum(row["count"] for row in bins) == len(batch)
    total = sum(row["count"] / len(batch) * abs(row["accuracy"] - row["confidence"]) for row in bins)
    assert total == pytest.approx(found.value, abs=1e-6)
    assert all(row["low"] <= row["confidence"] <= row["high"] for row in bins)
    assert found.low <= found.value <= found.high


def test_fgsm_and_pgd_on_a_linear_classifier_by_hand():
    """Two classes, logits ±s with s the mean of the pixels minus ½: a change of ε in every pixel moves s by ε."""
    weights = torch.stack([torch.full((192,), 1 / 192), torch.full((192,), -1 / 192)], 1)

    class Half(Linear):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return super().forward(images - 0.5)

    levels = torch.tensor([0.52, 0.54, 0.56, 0.60])
    batch = Batch(levels[:, None, None, None].expand(4, *SHAPE).clone(), torch.eye(2)[[0, 0, 0, 0]])
    for epsilon, kept in ((0.01, 4), (0.03, 3), (0.05, 2), (0.2, 0)):
        assert measure_metric("fgsm", batch, Half(weights), epsilon=epsilon).value == kept / 4
        assert measure_metric("pgd", batch, Half(weights), epsilon=epsilon).value == kept / 4


def test_an_attack_does_not_repair_what_was_wrong(batch):
    plain = measure_metric("accuracy", batch, Told())
    for name in ("fgsm", "pgd"):
        attacked = measure_metric(name, batch, Told(), epsilon=0.1)
        assert bool((attacked.each <= plain.each).all())


def test_corrupted_accuracy_is_the_mean_of_fifteen(batch):
    found = measure_metric("corruptions", batch, Told(), severity=2)
    assert set(found.detail) == set(CORRUPTIONS)
    assert found.value == pytest.approx(sum(found.detail.values()) / 15, abs=1e-6)


def test_one_corruption_each_is_every_corruption_on_its_rows(batch):
    worse = metrics.corrupt_in_turn(batch, 3, make_generator(5))
    assert len(worse) == len(batch)
    changed = (worse.images != batch.images).flatten(1).any(1)
    assert int(changed.sum()) >= 57  # impulse noise may spare a picture of 192 values
    bright = CORRUPTIONS["brightness"](severity=3)
    place = list(CORRUPTIONS).index("brightness")
    part = Batch(batch.images[place::15], batch.targets[place::15])
    assert torch.equal(worse.images[place::15], bright(part, bench(Told())).images)


def test_a_straight_loss_has_no_deviation_and_a_bent_one_has():
    """log(1 + e^u): by brute force over u within ε of 0, max |f(u) − f(0) − u f′(0)| is at the ends."""

    class Bend(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            u = 20 * (images[:, 0, 0, 0] - 0.5)
            return torch.stack([torch.zeros_like(u), u], 1)

    batch = Batch(torch.full((1, *SHAPE), 0.5), torch.eye(2)[:1])
    u = torch.linspace(-2, 2, 2001)
    brute = (torch.nn.functional.softplus(u) - torch.log(torch.tensor(2.0)) - u / 2).abs().max().item()
    assert measure_metric("linearity", batch, Bend(), epsilon=0.1, steps=40).value == pytest.approx(brute, rel=1e-3)
    far = Batch(torch.ones(1, *SHAPE), torch.eye(2)[1:])  # loss ~ e^−10: flat
    assert measure_metric("linearity", far, Bend(), epsilon=0.01).value < 1e-4


def test_labels_are_preserved_by_nothing_and_lost_by_a_black_image(batch):
    kept = metrics.estimate_preserved(lambda few: few, batch, bench(Told()))
    assert (kept.value, kept.detail["kept"]) == (1.0, kept.detail["of"])
    assert kept.detail["of"] == int(measure_metric("accuracy", batch, Told()).each.sum())

    def swapped(few: Batch) -> Batch:
        return Batch(few.images.flip(1).roll(1, 3), few.targets)

    brute = metrics.mark_correct(Batch(swapped(batch).images, batch.targets), bench(Told()))
    known = metrics.mark_correct(batch, bench(Told())) > 0
    assert metrics.estimate_preserved(swapped, batch, bench(Told())).value == pytest.approx(float(brute[known].mean()))


def test_a_judge_that_knows_nothing_is_refused(batch):
    wrong = torch.eye(4)[Told()(batch.images).argmin(1)]
    with pytest.raises(UserError, match="knows none"):
        metrics.estimate_preserved(lambda few: few, Batch(batch.images, wrong), bench(Told()))


def test_pixels_are_no_place_for_a_latent_attack(batch):
    with pytest.raises(UserError, match="choose a Glow"):
        measure_metric("latent-attack", batch, Told())


def test_intervals_of_means_by_hand():
    """1, 2, 3 at two degrees of freedom: 2 ± 4.303 · 1/√3."""
    found = metrics.estimate_mean(torch.tensor([1.0, 2.0, 3.0]))
    assert (found.value, found.high - found.value) == pytest.approx((2.0, 4.3027 / 3**0.5), abs=1e-3)
    alone = metrics.estimate_mean(torch.tensor([5.0]))
    assert (alone.low, alone.value, alone.high) == (5, 5, 5)
    many = metrics.estimate_mean(torch.randn(4000, generator=make_generator(0)))
    assert many.high - many.low == pytest.approx(2 * 1.96 / 4000**0.5, rel=0.1)


@pytest.mark.parametrize("name", sorted(set(METRICS) - {"latent-attack", "label-preservation"}))
def test_every_metric_leaves_the_classifier_alone_and_repeats_itself(name, batch):
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 4)).train()
    before = {key: value.clone() for key, value in net.state_dict().items()}
    first, again = (METRICS[name]()(batch, Bench(Pixels(SHAPE), net, make_generator(3))) for _ in range(2))
    assert (first.value, first.low, first.high) == (again.value, again.low, again.high)
    assert first.low <= first.value <= first.high
    assert all(torch.equal(before[key], value) for key, value in net.state_dict().items())
    assert net.training
    assert all(p.grad is None for p in net.parameters())

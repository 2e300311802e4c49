"""The discrepancy that bites, and a short fit of everything."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from latentlab import chance, datasets, models
from latentlab.datasets import Split
from latentlab.errors import UserError
from latentlab.training.fit_loop import FitPlan, fit_network
from latentlab.training.fitters.eye import load_eye
from latentlab.training.fitters.map_autoencoder import compute_divergence, estimate_mmd, measure_discrepancy
from latentlab.training.fitters.spatial_vae import SpatialVAEFitter

EYE = Path("checkpoints/digits-resnet.safetensors")


def test_of_samples_of_the_prior_it_is_nothing_on_average():
    found = torch.tensor(
        [
            estimate_mmd(*(chance.draw_normal((64, 8), chance.make_generator(2 * i + side)) for side in (0, 1))).item()
            for i in range(200)
        ]
    )
    assert abs(found.mean()) < 3 * found.std() / len(found) ** 0.5
    assert (found < 0).any()


@pytest.mark.parametrize("change", [lambda x: 0.5 * x, lambda x: 1.5 * x, lambda x: x + 0.5, torch.zeros_like])
def test_codes_that_are_too_narrow_too_wide_or_elsewhere_are_noticed(change):
    """The biased estimate with a bandwidth of D² preferred narrow ones."""
    rng = chance.make_generator(0)
    codes = chance.draw_normal((64, 8, 4, 4), rng)
    assert measure_discrepancy(change(codes), rng) > 5 * measure_discrepancy(codes, rng).abs() + 0.01


def test_the_same_answers_do_not_diverge():
    logits = chance.draw_normal((5, 3), chance.make_generator(0))
    for multilabel in (False, True):
        assert compute_divergence(logits, logits, multilabel).item() == pytest.approx(0, abs=1e-6)
        assert compute_divergence(logits + torch.tensor([1.0, 0, 0]), logits, multilabel) > 0.01


def test_it_fits_saves_and_rebuilds_better_than_it_began(tmp_path):
    """One fit, of which half is the prior's; it beats what it began as, PCA with as many numbers, in the eye."""
    whole = datasets.load_world("digits")
    world = replace(whole, train=Split(whole.train.images[:1400], whole.train.labels[:1400]))
    torch.manual_seed(0)
    fitter = SpatialVAEFitter(world, "cpu")
    fitter.attach_eye(load_eye(EYE, world, "cpu"))
    plan = FitPlan("vae", tmp_path / "net.safetensors", None, 8, 16, 0, "cpu", "a test")
    card = fit_network(plan, fitter, world)
    network = models.load_network(plan.out)[1]
    assert isinstance(network, models.SpatialVAE)
    assert card.scores["PSNR"] > 20
    codes = network.encode(world.train.take_batch(range(300))[0]).flat
    assert 0.8 < codes.std() < 1.2
    assert {"pc1", "7"} <= set(network.directions)


def test_it_needs_an_eye():
    fitter = SpatialVAEFitter(datasets.load_world("digits"), "cpu")
    with pytest.raises(UserError, match="--eye"):
        fitter.step(torch.rand(2, 3, 32, 32), torch.zeros(2), chance.make_generator(0), 0.0)

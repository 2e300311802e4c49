"""Styles are borrowed from some resolution on; a short fit of everything."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from latentlab import chance, datasets, models
from latentlab.datasets import Split
from latentlab.training.fit_loop import FitPlan, fit_network
from latentlab.training.fitters.eye import load_eye
from latentlab.training.fitters.spatial_stylegan2 import (
    SpatialStyleGAN2Fitter,
    borrow_fine_styles,
    compare_statistics,
)

EYE = Path("checkpoints/digits-resnet.safetensors")


def test_the_finest_style_is_always_the_partners_and_coarser_ones_sometimes():
    own, other = torch.zeros(200, 3, 2), torch.ones(200, 3, 2)
    mixed = borrow_fine_styles(own, other, chance.make_generator(0))[:, :, 0]
    assert (mixed[:, 2] == 1).all()
    assert (mixed[:, 1] >= mixed[:, 0]).all()
    assert mixed.mean(0).tolist() == pytest.approx([1 / 3, 2 / 3, 1], abs=0.15)


def test_statistics_do_not_see_where_things_are():
    maps = chance.draw_normal((2, 3, 4, 4), chance.make_generator(0))
    assert compare_statistics(maps.flip(3), maps).item() == pytest.approx(0, abs=1e-6)
    assert compare_statistics(maps + 1, maps) > 0.1


def test_it_fits_saves_and_swaps(tmp_path):
    """One short fit: what ships rebuilds well from the first step, its codes are standard, swaps keep the digit."""
    whole = datasets.load_world("digits")
    world = replace(whole, train=Split(whole.train.images[:1400], whole.train.labels[:1400]))
    torch.manual_seed(0)
    fitter = SpatialStyleGAN2Fitter(world, "cpu")
    fitter.attach_eye(load_eye(EYE, world, "cpu"))
    plan = FitPlan("stylegan2", tmp_path / "net.safetensors", None, 6, 16, 0, "cpu", "a test")
    card = fit_network(plan, fitter, world)
    network = models.load_network(plan.out)[1]
    assert isinstance(network, models.SpatialStyleGAN2)
    assert card.scores["PSNR"] > 25
    assert plan.out.stat().st_size < 60e6
    codes = network.encode(world.train.take_batch(range(300))[0])
    assert 0.8 < codes.parts["content"].std() < 1.2
    assert {"pc1", "7"} <= set(network.directions)
    judge = models.load_network(EYE)[1]
    swapped = codes.swap(codes[torch.arange(300).roll(1)], codes.select_part_names(["fine"]))
    before, after = (judge(network.decode(each)).argmax(1) for each in (codes, swapped))
    assert (before == after).float().mean() > 0.5

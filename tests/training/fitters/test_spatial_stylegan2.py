"""Styles are borrowed from some resolution on; a short fit of everything."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from latentlab import chance, datasets, models
from latentlab.datasets import Split
from latentlab.models import Card
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
    """A few steps of either half: it rebuilds well from the first step, codes are standard, swaps keep digits."""
    whole = datasets.load_world("digits")
    world = replace(whole, train=Split(whole.train.images[:1400], whole.train.labels[:1400]))
    torch.manual_seed(0)
    fitter = SpatialStyleGAN2Fitter(world, "cpu")
    fitter.attach_eye(load_eye(EYE, world, "cpu"))
    images, labels = world.train.take_batch(range(16))
    fitter.begin(images)
    terms = [fitter.step(images, labels, chance.make_generator(i), share) for i, share in enumerate((0.1, 0.2, 0.9))]
    assert {"pixels", "answers of swapped", "style", "nats a coordinate"} <= set(terms[0] | terms[-1])
    with torch.no_grad():
        fitter.finish(fitter.network, world)
    models.save_network(
        tmp_path / "net.safetensors",
        fitter.network,
        Card("stylegan2", fitter.arguments, world.image_shape, classes=world.classes),
    )
    network = models.load_network(tmp_path / "net.safetensors")[1]
    assert isinstance(network, models.SpatialStyleGAN2)
    seen, judge = world.train.take_batch(range(100))[0], models.load_network(EYE)[1]
    codes = network.encode(seen)
    assert (network.decode(codes) - seen).square().mean() < 0.003
    assert 0.7 < codes.parts["content"].std() < 1.3
    swapped = codes.swap(codes[torch.arange(100).roll(1)], codes.select_part_names(["fine"]))
    before, after = (judge(network.decode(each)).argmax(1) for each in (codes, swapped))
    assert (before == after).float().mean() > 0.5

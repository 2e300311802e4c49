"""The corruptions by hand, and that worse is worse."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage import data, transform

from latentlab.errors import UserError
from latentlab.operators import CORRUPTIONS, measure_distance
from latentlab.operators.textures import draw_plasma, make_disk, smear_array, zoom_middle
from latentlab.types import Batch

UNORDERED = {"glass_blur", "elastic_transform", "frost"}  # published strengths trade one kind of damage for another


def photographs(size: int) -> torch.Tensor:
    shots = [data.astronaut(), data.coffee()[:400, 100:500], data.chelsea()[:300, 50:350]]
    small = np.array([transform.resize(shot, (size, size), anti_aliasing=True) for shot in shots])
    return torch.from_numpy(small).permute(0, 3, 1, 2).float().repeat(4, 1, 1, 1)


@pytest.mark.parametrize("name", CORRUPTIONS)
@pytest.mark.parametrize("size", [32, 64])
def test_severer_is_farther(name, size, bench_of):
    x = photographs(size)
    batch = Batch(x, torch.ones(len(x), 1))
    worse = [CORRUPTIONS[name](severity=s)(batch, bench_of()).images for s in (1, 2, 3, 4, 5)]
    far = [measure_distance(images, x).mean().item() for images in worse]
    assert all(images.shape == x.shape and images.min() >= 0 and images.max() <= 1 for images in worse)
    assert far[0] > 0.1
    assert far[-1] < 0.5 * size * 3**0.5
    if name not in UNORDERED:
        assert far == sorted(far)


@pytest.mark.parametrize("name", CORRUPTIONS)
@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 16, 24)])
def test_grey_and_oblong_pictures(name, shape, bench_of):
    x = torch.rand(2, *shape)
    assert CORRUPTIONS[name](severity=5)(Batch(x, torch.ones(2, 1)), bench_of()).images.shape == x.shape


def test_fifteen_with_the_published_names():
    assert len(CORRUPTIONS) == 15
    with pytest.raises(UserError, match="from 1 to 5"):
        CORRUPTIONS["fog"](severity=6)


def test_noise_has_the_published_strength(bench_of):
    grey = Batch(torch.full((8, 3, 32, 32), 0.5), torch.ones(8, 1))
    assert CORRUPTIONS["gaussian_noise"](severity=5)(grey, bench_of()).images.std() == pytest.approx(0.10, rel=0.03)
    shot = CORRUPTIONS["shot_noise"](severity=5)(grey, bench_of()).images
    assert shot.std() == pytest.approx((0.5 / 50) ** 0.5, rel=0.03)
    impulse = CORRUPTIONS["impulse_noise"](severity=5)(grey, bench_of()).images
    assert (impulse != 0.5).float().mean() == pytest.approx(0.07, rel=0.1)
    assert set(impulse.unique().tolist()) == {0.0, 0.5, 1.0}


def test_brightness_and_contrast_by_hand(bench_of):
    x = torch.tensor([0.2, 0.4, 0.1])[None, :, None, None].expand(1, 3, 32, 32)
    bright = CORRUPTIONS["brightness"](severity=3)(Batch(x, torch.ones(1, 1)), bench_of()).images
    assert torch.allclose(bright[0, :, 0, 0], torch.tensor([0.2, 0.4, 0.1]) * 0.55 / 0.4)
    half = torch.cat([torch.zeros(1, 3, 32, 16), torch.ones(1, 3, 32, 16)], 3)
    flat = CORRUPTIONS["contrast"](severity=4)(Batch(half, torch.ones(1, 1)), bench_of()).images
    assert flat.unique().tolist() == pytest.approx([0.35, 0.65])


def test_black_stays_finite(bench_of):
    for cls in CORRUPTIONS.values():
        assert cls(severity=5)(Batch(torch.zeros(2, 3, 32, 32), torch.ones(2, 1)), bench_of()).images.isfinite().all()


def test_textures():
    rng = np.random.default_rng(0)
    assert make_disk(2.5, 0.1).sum() == pytest.approx(1)
    maps = draw_plasma(3, 20, 32, 2.0, rng)
    assert maps.shape == (3, 20, 32)
    assert maps.min() >= 0
    assert maps.max() <= 1
    flat = np.full((2, 9, 9, 3), 0.3)
    assert np.allclose(zoom_middle(flat, 1.3), flat)
    assert np.allclose(smear_array(flat[0], 4, 2.0, 30.0), flat[0])
    edge = np.zeros((1, 8, 1))
    edge[0, 4] = 1
    assert smear_array(edge, 2, 1.0, 0.0)[0, :, 0].nonzero()[0].tolist() == [0, 1, 2, 3, 4]

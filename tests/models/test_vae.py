"""MMD-VAE: the discrepancy by hand, whitening by its definition."""

import math

import pytest
import torch

from latentlab import chance
from latentlab.models import MMDVAE
from latentlab.models.vae import measure_mmd
from latentlab.types import Latents


def vae() -> MMDVAE:
    torch.manual_seed(0)
    return MMDVAE((3, 16, 16), code=6, width=8, depth=1).eval().requires_grad_(False)


def test_mmd_of_two_points_by_hand():
    """D = 1: k(0, 0) = 1 and k(0, 2) = exp(−4)."""
    assert measure_mmd(torch.tensor([[0.0]]), torch.tensor([[2.0]])).item() == pytest.approx(
        2 - 2 * math.exp(-4), rel=1e-6
    )


def test_mmd_of_a_set_with_itself_is_zero_and_grows_with_distance():
    a = chance.draw_normal((50, 3), chance.make_generator(0))
    assert measure_mmd(a, a).item() == pytest.approx(0, abs=1e-6)
    assert 0 < measure_mmd(a, a + 1).item() < measure_mmd(a, a + 3).item()


def test_whitened_codes_have_mean_zero_and_covariance_one():
    model = vae()
    images = chance.draw_uniform((400, 3, 16, 16), chance.make_generator(1))
    model.set_whitening(model.encode_raw(images))
    codes = model.encode(images).parts["code"]
    assert codes.mean(0).abs().max() < 1e-3
    assert torch.allclose(torch.cov(codes.T), torch.eye(6), atol=2e-2)


def test_whitening_changes_coordinates_and_not_pictures():
    model = vae()
    images = chance.draw_uniform((40, 3, 16, 16), chance.make_generator(1))
    before = model.decode(model.encode(images))
    model.set_whitening(model.encode_raw(images))
    assert torch.allclose(model.decode(model.encode(images)), before, atol=1e-3)


def test_decoded_images_are_in_range():
    images = vae().decode(Latents({"code": 50 * chance.draw_normal((4, 6), chance.make_generator(0))}))
    assert images.shape == (4, 3, 16, 16)
    assert 0 <= images.min() <= images.max() <= 1

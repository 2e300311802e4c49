"""Sizes that a network cannot have are one line that names the nearest; constant channels do not break a flow."""

from __future__ import annotations

import pytest
import torch

from latentlab.errors import UserError
from latentlab.models import MMDVAE, Glow, StyleGAN2


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Glow((3, 50, 50)), "nearest size that it can have is 48 × 48"),
        (lambda: Glow((3, 33, 44), levels=2), "nearest size that it can have is 32 × 44"),
        (lambda: MMDVAE((3, 33, 32)), "nearest size that it can have is 32 × 32"),
        (lambda: StyleGAN2((3, 50, 50), (8, 8, 8, 8)), "nearest size that it can have is 64 × 64"),
        (lambda: StyleGAN2((3, 32, 48), (8, 8, 8, 8)), "nearest size that it can have is 32 × 32"),
    ],
)
def test_a_size_that_a_kind_cannot_have_is_said_with_the_nearest(make, says: str) -> None:
    with pytest.raises(UserError, match=says) as caught:
        make()
    assert "\n" not in str(caught.value)


def test_a_vae_need_not_be_square() -> None:
    network = MMDVAE((3, 48, 80), code=8, width=8).eval()
    images = torch.rand(2, 3, 48, 80)
    assert network.decode(network.encode(images)).shape == images.shape


def make_pictures(fault: str) -> torch.Tensor:
    images = torch.randint(0, 256, (32, 3, 16, 16), generator=torch.Generator().manual_seed(0)).float() / 255
    if fault == "grey as colour":
        images = images[:, :1].expand(-1, 3, -1, -1).contiguous()
    if fault == "a black channel":
        images[:, 2] = 0
    if fault == "black borders":
        images[:, :, :4] = 0
    if fault == "blank":
        images = torch.full_like(images, 7 / 255)
    return images


@pytest.mark.parametrize("fault", ["none", "grey as colour", "a black channel", "black borders", "blank"])
def test_channels_that_do_not_vary_come_back(fault: str) -> None:
    """Also of a picture that has what those channels never had."""
    images = make_pictures(fault)
    network = Glow((3, 16, 16), levels=2, steps=2, hidden=8).eval()
    network.initialise_actnorms(images)
    with torch.no_grad():
        assert network.log_prob(images).isfinite().all()
        for shown in (images[:4], make_pictures("none")[:4]):
            assert (network.decode(network.encode(shown)) - shown).abs().max() < 1e-4


def test_a_vae_of_fewer_pictures_than_code_numbers_is_whitened() -> None:
    network = MMDVAE((3, 16, 16), code=32, width=8).eval()
    raw = torch.randn(20, 32, generator=torch.Generator().manual_seed(0))
    network.set_whitening(raw)
    codes = (raw - network.mean) @ torch.linalg.inv(network.spread)
    assert codes.isfinite().all()
    assert (codes @ network.spread + network.mean - raw).abs().max() < 1e-3

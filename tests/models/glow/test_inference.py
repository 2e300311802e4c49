"""The folded Glow against the one it was made from."""

import pytest
import torch
from torch.nn.functional import conv2d, cosine_similarity

from latentlab import chance
from latentlab.models import FoldedGlow, Glow, make_fast_form
from latentlab.models.glow import conv_matmul
from latentlab.models.glow.conv_matmul import gather_windows, sum_overlaps
from latentlab.models.glow.relu_mask import mask_gradient, pack_relu_mask
from latentlab.models.precision import gains_from_bf16
from latentlab.store import Store
from latentlab.types import LatentModel

SHAPE = (3, 16, 16)


@pytest.fixture(scope="module")
def glow():
    """Random weights that do something: a fresh Glow's last convolutions are zero."""
    torch.manual_seed(0)
    network = Glow(SHAPE, levels=2, steps=3, hidden=32)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return network.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def images():
    return chance.draw_uniform((5, *SHAPE), chance.make_generator(1))


def exactly(glow: Glow) -> FoldedGlow:
    return FoldedGlow(glow, torch.float32).requires_grad_(False)


@torch.no_grad()
def test_in_fp32_it_is_the_same_map(glow, images):
    latents = glow.encode(images)
    assert isinstance(exactly(glow), LatentModel)
    assert torch.allclose(exactly(glow).encode(images).flat, latents.flat, atol=1e-3)
    assert (exactly(glow).decode(latents) - glow.decode(latents)).abs().max() < 1e-4
    assert list(exactly(glow).encode(images).parts) == list(latents.parts)


@torch.no_grad()
def test_in_fp32_it_comes_back(glow, images):
    fast = exactly(glow)
    assert (fast.decode(fast.encode(images)) - images).abs().max() < 1e-4


@torch.no_grad()
def test_chunks_change_nothing(glow, images, monkeypatch):
    latents = glow.encode(images)
    whole = exactly(glow).decode(latents)
    monkeypatch.setattr("latentlab.models.glow.inference.COUPLING_PIXELS", 1)
    assert torch.allclose(exactly(glow).decode(latents), whole, atol=1e-5)


def test_in_fp32_the_gradient_is_autograds(glow, images):
    a, b = (gradient(model, glow, images) for model in (glow, exactly(glow)))
    assert torch.allclose(a, b, rtol=1e-3, atol=1e-4 * float(a.abs().max()))


def test_in_fp32_the_gradient_of_encoding_is_autograds(glow, images):
    leaf = images.clone().requires_grad_()
    a, b = (torch.autograd.grad(model.encode(leaf).flat.square().sum(), leaf)[0] for model in (glow, exactly(glow)))
    assert torch.allclose(a, b, rtol=1e-3, atol=1e-4 * float(a.abs().max()))


@pytest.mark.parametrize("size", [(1, 1), (1, 4), (3, 2), (5, 5)])
def test_windows_and_shares_are_a_convolution(size, rng):
    x = torch.randn(2, *size, 3, generator=rng)
    weight = torch.randn(4, 3, 3, 3, generator=rng)
    expected = conv2d(x.permute(0, 3, 1, 2), weight, padding=1).permute(0, 2, 3, 1)
    by_windows = gather_windows(x) @ weight.permute(0, 2, 3, 1).flatten(1).t()
    by_shares = sum_overlaps(x @ weight.permute(2, 3, 0, 1).flatten(0, 2).t())
    assert torch.allclose(by_windows, expected, atol=1e-5)
    assert torch.allclose(by_shares, expected, atol=1e-5)


def test_a_packed_product_is_the_public_one(rng, monkeypatch):
    x = torch.randn(2, 3, 3, 6, generator=rng).bfloat16()
    weight, bias = torch.randn(8, 6, generator=rng), torch.randn(8, generator=rng)
    expected = (x.double() @ weight.bfloat16().double().t() + bias.bfloat16().double()).relu()
    for packs in {conv_matmul.CAN_PACK, False}:
        monkeypatch.setattr(conv_matmul, "CAN_PACK", packs)
        product = conv_matmul.MatrixProduct(weight, bias, torch.bfloat16, relu=True)
        assert (product.packed is not None) == (packs and gains_from_bf16("cpu"))
        assert torch.allclose(product(x).double(), expected, rtol=0.02, atol=0.02)
        leaf = x.float().requires_grad_()
        (slope,) = torch.autograd.grad(product(leaf.bfloat16()).sum(), leaf)
        assert torch.allclose(slope.double(), (expected > 0).double() @ weight.double(), rtol=0.02, atol=0.1)


@pytest.mark.parametrize("shape", [(2, 3, 3, 5), (1, 4, 4, 8), (1, 1, 1, 1)])
def test_a_bit_an_entry_is_what_a_relu_lets_through(shape, rng):
    x, gradient = (torch.randn(shape, generator=rng) for _ in range(2))
    bits = pack_relu_mask(x.relu())
    assert bits.numel() == -(-x.numel() // 8)
    assert torch.equal(mask_gradient(gradient, bits), torch.where(x > 0, gradient, torch.zeros_like(x)))


def gradient(model: LatentModel, glow: Glow, images: torch.Tensor) -> torch.Tensor:
    latents = glow.encode(images)
    flat = latents.flat.requires_grad_()
    weights = torch.linspace(-1, 1, images.numel()).view_as(images)
    return torch.autograd.grad((model.decode(latents.unflat(flat)) * weights).sum(), flat)[0]


@torch.no_grad()
def test_folding_follows_new_weights(glow, images):
    latents = glow.encode(images)
    changed = Glow(SHAPE, levels=2, steps=3, hidden=32)
    changed.load_state_dict(glow.state_dict())
    changed.levels[0].steps[1].log_scale.add_(0.3)
    assert (exactly(changed).decode(latents) - changed.decode(latents)).abs().max() < 1e-4
    assert (exactly(glow).decode(latents) - changed.decode(latents)).abs().max() > 1e-3


@pytest.mark.parametrize("name", ["digits-glow", "cifar10-glow", "faces-glow"])
def test_the_shipped_flows_agree_within_a_few_grey_levels(name):
    """On their own samples at temperature 0.7; prints what the page's documents state."""
    store = Store()
    glow, fast = store.load(name), store.load_fast(name)
    with torch.no_grad():
        latents = glow.sample(4, chance.make_generator(0)).map(lambda part: 0.7 * part)
        images = glow.decode(latents).clamp(0, 1)
        levels = 255 * (fast.decode(latents).clamp(0, 1) - images).abs()
    slopes = [gradient(model, glow, images) for model in (glow, fast)]
    cosine = cosine_similarity(*slopes).min().item()
    print(
        f"{name}: decode off by {levels.max():.2f} grey levels at most, {levels.mean():.2f} on average, "
        f"gradient cosine {cosine:.4f}"
    )
    assert levels.max() < 12
    assert levels.mean() < 1
    assert cosine > 0.98


def test_a_store_folds_once():
    store = Store()
    assert store.load_fast("digits-glow") is store.load_fast("digits-glow")
    assert isinstance(store.bench("digits-glow", fast=True).model, FoldedGlow)
    assert isinstance(store.bench("digits-glow").model, Glow)
    assert store.load_fast("digits-vae") is store.load("digits-vae")
    assert store.load_fast("digits-resnet") is store.bench("digits-glow", "digits-resnet", fast=True).classifier
    assert store.bench("digits-glow", "digits-resnet").classifier is store.load("digits-resnet")
    assert isinstance(make_fast_form(store.load("digits-glow")), FoldedGlow)

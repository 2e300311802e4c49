"""The folded generator against the one it was made from."""

import pytest
import torch
from torch.nn.functional import cosine_similarity

from latentlab import chance
from latentlab.models import StyleGAN2
from latentlab.models.stylegan2.inference import fold_stylegan2
from latentlab.store import Store


@pytest.fixture(scope="module")
def gan():
    """Random weights, with noise and biases that do something."""
    torch.manual_seed(0)
    network = StyleGAN2((3, 16, 16), channels=(16, 16, 8), style_dim=12, mapping_layers=2)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.endswith(("strength", "bias")):
                parameter.normal_(0.3, 0.1)
    network.measure_whitening(chance.make_generator(0), 4000)
    return network.eval().requires_grad_(False)


def test_in_fp32_it_is_the_same_generator(gan):
    folded, latents = fold_stylegan2(gan, torch.float32), gan.sample(4, chance.make_generator(1))
    codes, noises = gan.colour_codes(gan.join_parts(latents)), gan.draw_noises(4, chance.make_generator(2))
    assert torch.allclose(folded.decode(latents), gan.decode(latents), atol=1e-5)
    assert torch.allclose(folded.synthesise_images(codes, noises), gan.synthesise_images(codes, noises), atol=1e-4)
    assert torch.allclose(gradient(folded, latents), gradient(gan, latents), atol=1e-4)


def test_the_callers_autocast_changes_nothing(gan):
    folded, latents = fold_stylegan2(gan, torch.float32), gan.sample(2, chance.make_generator(1))
    with torch.autocast("cpu", torch.bfloat16):
        under = folded.convs[0](folded.const, latents.parts["4px"][:1, 0], None)
    assert torch.allclose(under, folded.convs[0](folded.const, latents.parts["4px"][:1, 0], None))


def test_folding_follows_new_weights(gan):
    latents = gan.sample(4, chance.make_generator(1))
    changed = StyleGAN2((3, 16, 16), channels=(16, 16, 8), style_dim=12, mapping_layers=2)
    changed.load_state_dict(gan.state_dict())
    with torch.no_grad():
        changed.convs[1].conv.weight.mul_(torch.linspace(0.5, 2, 16)[:, None, None])
        expected, found = changed.decode(latents), fold_stylegan2(changed, torch.float32).decode(latents)
        assert (expected - gan.decode(latents)).abs().max() > 1e-3
        assert torch.allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("name", ["digits-stylegan2", "cifar10-stylegan2", "faces-stylegan2"])
def test_the_shipped_generators_agree_within_a_few_grey_levels(name):
    """On their own samples at temperature 0.7; prints what the page's documents state."""
    store = Store(device="cpu")
    exact, fast = store.load(name), store.load_fast(name)
    latents = exact.sample(4, chance.make_generator(0)).map(lambda part: 0.7 * part)
    with torch.no_grad():
        levels = 255 * (fast.decode(latents) - exact.decode(latents)).abs()
    cosine = cosine_similarity(gradient(exact, latents), gradient(fast, latents)).min().item()
    print(
        f"{name}: decode off by {levels.max():.2f} grey levels at most, {levels.mean():.2f} on average, "
        f"gradient cosine {cosine:.4f}"
    )
    assert levels.max() < 24
    assert levels.mean() < 1
    assert cosine > 0.98


def gradient(model, latents):
    """Of a weighted sum of the pixels, with respect to the latents."""
    flat = latents.flat.requires_grad_()
    images = model.decode(latents.unflat(flat))
    weights = torch.linspace(-1, 1, images.numel()).view_as(images)
    return torch.autograd.grad((images * weights).sum(), flat)[0]

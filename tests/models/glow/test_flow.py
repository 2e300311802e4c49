"""Glow: exactness over the whole range, the density against autograd's Jacobian, standard coordinates."""

import math

import pytest
import torch
from repository import CHECKPOINTS

from latentlab import chance, datasets, models
from latentlab.models import Glow
from latentlab.models.glow.squeeze import apply_logit, squeeze_pixels
from latentlab.types import DensityModel, DirectedModel


def glow(size: int = 8, levels: int = 2, dtype: torch.dtype = torch.float32) -> Glow:
    """A small flow, stirred: a fresh one is nearly the identity and would hide mistakes."""
    torch.manual_seed(0)
    model, rng = Glow((3, size, size), levels=levels, steps=2, hidden=12), chance.make_generator(1)
    for parameter in model.parameters():
        parameter.data += 0.05 * chance.draw_normal(parameter.shape, rng)
    return model.to(dtype).eval().requires_grad_(False)


def test_round_trip_over_the_whole_range_of_grey():
    images = chance.draw_uniform((6, 3, 8, 8), chance.make_generator(0))
    images[0], images[1] = 0.0, 1.0  # pure black and white
    images[2, :, ::2] = 0.0
    images[2, :, 1::2] = 1.0
    model = glow()
    assert (model.decode(model.encode(images)) - images).abs().max() <= 1e-4


@pytest.mark.data
def test_round_trip_of_real_test_images(real_data, capsys):
    model = glow(32, 3)
    images, _ = datasets.load_world("cifar10", real_data("cifar10")).test.take_batch(slice(0, 64))
    error = (model.decode(model.encode(images)) - images).abs().max().item()
    with capsys.disabled():
        print(f"\nGlow round trip on 64 CIFAR-10 test images, random weights: {error:.1e}")
    assert error <= 1e-4


def test_log_prob_agrees_with_the_jacobian_of_autograd():
    model = glow(4, 1, torch.float64)
    image = chance.draw_uniform((1, 3, 4, 4), chance.make_generator(2)).double()
    jacobian = torch.autograd.functional.jacobian(lambda x: model.encode(x.view(1, 3, 4, 4)).flat[0], image.flatten())
    code = model.encode(image).flat[0]
    normal = -0.5 * code.square().sum() - 48 * 0.5 * math.log(2 * math.pi)
    by_hand = normal + torch.linalg.slogdet(jacobian)[1] - 48 * math.log(255)  # images have 256 levels: steps of 1/255
    assert model.log_prob(image).item() == pytest.approx(by_hand.item(), abs=1e-8)


def test_samples_are_standard_and_survive_the_way_there_and_back():
    model = glow()
    latents = model.sample(200, chance.make_generator(3))
    assert latents.flat.mean().abs() < 0.02
    assert latents.flat.std() == pytest.approx(1, abs=0.02)
    calm = latents[:4].map(lambda part: 0.3 * part)  # away from black and white, where the logit is steep
    assert (model.encode(model.decode(calm)).flat - calm.flat).abs().max() < 1e-3


def test_parts_are_levels_named_by_their_size_coarse_first():
    shapes = {name: tuple(part.shape) for name, part in glow(16, 3).sample(1, chance.make_generator(0)).parts.items()}
    assert shapes == {"2px": (1, 48, 2, 2), "4px": (1, 12, 4, 4), "8px": (1, 6, 8, 8)}


def test_initialise_gives_every_actnorm_unit_output():
    model = Glow((3, 8, 8), levels=1, steps=1, hidden=4)
    images = chance.draw_uniform((64, 3, 8, 8), chance.make_generator(0))
    model.initialise_actnorms(images)
    step = model.levels[0].steps[0]
    x = squeeze_pixels(apply_logit(model._spread_images(images, 0.5))).float()
    y = ((x + step.shift) * step.log_scale.exp()).flatten(0, 2)
    assert torch.allclose(y.mean(0), torch.zeros(12), atol=1e-4)
    assert torch.allclose(y.std(0), torch.ones(12), atol=1e-3)


def test_fast_mode_is_near_the_exact_one():
    model = glow()
    latents = model.sample(8, chance.make_generator(0))
    exact = model.decode(latents)
    model.use_fast(True)
    assert 0 < (model.decode(latents) - exact).abs().max() < 0.05


def test_dequantisation_noise_comes_from_the_generator_alone():
    model, images = glow(), chance.draw_uniform((4, 3, 8, 8), chance.make_generator(0))
    first, second = (model.log_prob(images, chance.make_generator(5)) for _ in range(2))
    assert torch.equal(first, second)
    assert not torch.equal(first, model.log_prob(images, chance.make_generator(6)))


def test_it_is_a_density_model_with_directions():
    assert isinstance(glow(), DensityModel)
    assert isinstance(glow(), DirectedModel)


@pytest.mark.parametrize("path", sorted(CHECKPOINTS.glob("*-glow.safetensors")), ids=lambda path: path.stem)
def test_shipped_flows_rebuild_images_far_from_their_data(path):
    """Black, white, a ramp, a disc, half black and half white: the worst error of any pixel."""
    _, model = models.load_network(path)
    shape = model.image_shape
    ramp = torch.linspace(-1, 1, shape[2]).expand(shape)
    disc = (ramp.square() + ramp.mT.square() < 0.5).float()
    images = torch.stack([torch.zeros(shape), torch.ones(shape), (ramp + 1) / 2, disc, (ramp > 0).float()])
    assert (model.decode(model.encode(images)) - images).abs().max() <= 1e-4


@torch.no_grad()
def test_a_frozen_matrix_that_is_written_to_is_inverted_again():
    glow = Glow((3, 8, 8), levels=1, steps=1, hidden=8).eval().requires_grad_(False)
    step, x = glow.levels[0].steps[0], chance.draw_normal((2, 4, 4, 12), chance.make_generator(0)).double()
    for matrix in (step.mix.clone(), 2 * step.mix, torch.eye(12)):
        step.mix.copy_(matrix)
        y, log_det = step.encode_state(x)
        assert torch.allclose(step.decode_state(y), x, atol=1e-5)
        expected = 16 * torch.linalg.slogdet(matrix)[1]
        assert torch.allclose(log_det, expected.to(log_det).expand(2), atol=1e-4)

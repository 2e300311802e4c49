"""The joint fit: it learns, its augmentations are differentiable and neutral where they should be."""

import pytest
import torch

from latentlab import chance, datasets
from latentlab.training.fitters.diffaugment import DiffAugment, cut_out_square, recolour_images, translate_images
from latentlab.training.fitters.stylegan2 import StyleGAN2Fitter


@pytest.fixture(scope="module")
def fitter() -> StyleGAN2Fitter:
    torch.manual_seed(0)
    return StyleGAN2Fitter(datasets.load_world("digits"), "cpu")


def test_steps_move_every_network_and_report_finite_terms(fitter):
    world = datasets.load_world("digits")
    images, labels = world.train.take_batch(slice(0, 8))
    fitter.begin(images)
    before = {name: tensor.clone() for name, tensor in fitter.modules.state_dict().items()}
    for step in range(2):
        values = fitter.step(images, labels, chance.make_generator(step), step / 2)
    assert all(torch.tensor(value).isfinite() for value in values.values())
    moved = {name for name, tensor in fitter.modules.state_dict().items() if not torch.equal(tensor, before[name])}
    for part in ("network.mapping", "network.convs", "network.to_images", "network.encoder", "discriminator.trunk"):
        assert any(name.startswith(part) for name in moved), part
    assert int(fitter.clock.step) == 2


def test_the_encoder_learns_to_rebuild():
    torch.manual_seed(0)
    world = datasets.load_world("digits")
    fitter = StyleGAN2Fitter(world, "cpu")
    images, labels = world.train.take_batch(slice(0, 16))
    fitter.begin(images)
    errors = [fitter.step(images, labels, chance.make_generator(step), 0.0)["pixels"] for step in range(25)]
    assert min(errors[-5:]) < 0.5 * errors[0]


def test_codes_mix_drawn_and_real_styles(fitter):
    network = fitter.network
    real = network.colour_codes(chance.draw_normal((8, network.layers, network.style_dim), chance.make_generator(0)))
    codes = fitter._draw_codes(16, real, chance.make_generator(1))
    first, last = (
        network.mapping(chance.draw_normal((32, network.style_dim), chance.make_generator(1)))[:16],
        codes[:, -1],
    )
    assert torch.equal(codes[2:4, -1], real[2:4, -1])
    assert torch.allclose(codes[2:, 0], first[2:], atol=1e-6)
    assert (last[4:] - first[4:]).abs().amax(1).gt(1e-3).any()
    assert (last[4:] - first[4:]).abs().amax(1).lt(1e-6).any()


def test_augmentation_of_probability_zero_changes_nothing():
    images = chance.draw_uniform((4, 3, 16, 16), chance.make_generator(0))
    assert torch.equal(DiffAugment()(images, chance.make_generator(1)), images)
    never = torch.zeros(4, 1, 1, 1)
    for change in (recolour_images, translate_images, cut_out_square):
        assert torch.allclose(change(images, never, chance.make_generator(2)), images, atol=1e-6)


@pytest.mark.parametrize("change", [recolour_images, translate_images, cut_out_square])
def test_augmentations_are_differentiable_and_repeatable(change):
    images = chance.draw_uniform((4, 3, 16, 16), chance.make_generator(0)).requires_grad_()
    always = torch.ones(4, 1, 1, 1)
    once, twice = (change(images, always, chance.make_generator(2)) for _ in range(2))
    assert torch.equal(once, twice)
    assert not torch.equal(once, images)
    (slope,) = torch.autograd.grad(once.sum(), images)
    assert slope.abs().sum() > 0


def test_probability_follows_the_overfitting():
    augment = DiffAugment()
    augment.adapt_probability(torch.ones(1000))
    assert augment.p.item() == pytest.approx(0.01)
    augment.adapt_probability(-torch.ones(1000))
    assert augment.p.item() == pytest.approx(0)

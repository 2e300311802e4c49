"""Noise, shift, mix, swap and the pixel controls, each by its own law and by hand."""

from __future__ import annotations

import math

import pytest
import torch

from latentlab.errors import UserError
from latentlab.operators import METHODS, Blur, CutMix, Mix, Noise, Shift, Standard, Swap, encode, rebuild_images, slerp
from latentlab.operators.classification import compute_latent_losses
from latentlab.types import Batch, Latents


@pytest.mark.parametrize("space", ["pixels", "rotation", "glow", "vae", "stylegan2"])
@pytest.mark.parametrize("epsilon", [0.1, 20.0])
def test_noise_lands_on_the_sphere(space, epsilon, batch, bench_of):
    bench = bench_of(space)
    z = encode(bench.model, batch.images)
    moved, targets = Noise(epsilon=epsilon).move(z, batch, bench)
    assert torch.allclose((moved.flat - z.flat).norm(dim=1), torch.tensor(epsilon), rtol=1e-4)
    assert torch.equal(targets, batch.targets)


def test_gaussian_noise_has_that_length_on_average(batch, bench_of):
    bench = bench_of()
    z = encode(bench.model, batch.images)
    moved, _ = Noise(epsilon=5, shape="gaussian").move(z, batch, bench)
    far = (moved.flat - z.flat).norm(dim=1)
    assert far.std() > 1e-3
    assert far.square().mean().sqrt() == pytest.approx(5, rel=0.1)


@pytest.mark.parametrize("shape", ["sphere", "gaussian"])
def test_noise_keeps_its_length_on_fewer_parts(shape, batch, bench_of):
    bench = bench_of()
    z = encode(bench.model, batch.images)
    moved, _ = Noise(epsilon=5, shape=shape, parts=("fine",)).move(z, batch, bench)
    assert torch.equal(moved.parts["4px"], z.parts["4px"])
    assert (moved.parts["16px"] - z.parts["16px"]).norm(dim=1).mean() == pytest.approx(5, rel=0.1)


def test_no_part_at_all_is_refused(batch, bench_of):
    with pytest.raises(UserError, match="No latent part"):
        Noise(parts=())(batch, bench_of())


def test_shift_by_hand(batch, bench_of):
    bench = bench_of()
    z = encode(bench.model, batch.images)
    moved, _ = Shift(direction="Smiling", amount=-3).move(z, batch, bench)
    assert torch.allclose(moved.flat - z.flat, (-3 * bench.model.directions["Smiling"]).expand(6, -1), atol=1e-5)
    coarse, _ = Shift(direction="Smiling", amount=-3, parts=("coarse",)).move(z, batch, bench)
    assert torch.equal(coarse.parts["4px"], moved.parts["4px"])
    assert torch.equal(coarse.parts["8px"], z.parts["8px"])


def test_directions_add_up(batch, bench_of):
    bench = bench_of()
    z = encode(bench.model, batch.images)
    moved, _ = Shift(direction="1.5*pc1 + -2*Smiling", amount=2).move(z, batch, bench)
    expected = 3 * bench.model.directions["pc1"] - 4 * bench.model.directions["Smiling"]
    assert torch.allclose(moved.flat - z.flat, expected.expand(6, -1), atol=1e-5)


def test_a_random_direction_has_length_one_and_a_seed(batch, bench_of):
    bench = bench_of("pixels")
    z = encode(bench.model, batch.images)
    once, again, other = (Shift(direction=f"random-{seed}", amount=1).move(z, batch, bench)[0] for seed in (7, 7, 8))
    assert torch.equal(once.flat, again.flat)
    assert not torch.equal(once.flat, other.flat)
    assert torch.allclose((once.flat - z.flat).norm(dim=1), torch.tensor(1.0), rtol=1e-4)


@pytest.mark.parametrize("name", ["pc9", "", "nan*pc1", "1e300*pc1", "inf*pc1", "x*pc1", "pc1 + ", "pc1+pc1", "*"])
def test_an_unknown_direction_is_refused(name, batch, bench_of):
    with pytest.raises(UserError):
        Shift(direction=name)(batch, bench_of())


def test_the_refusal_lists_the_directions(batch, bench_of):
    with pytest.raises(UserError, match=r"no direction 'Glasses'; it has pc1, Smiling"):
        Shift(direction="Glasses")(batch, bench_of())


def test_mix_of_pixels_by_hand(batch, bench_of):
    mixed = Mix(lam=0.25, partner="next")(batch, bench_of("pixels"))
    images, targets = (0.25 * t + 0.75 * t.roll(-1, 0) for t in (batch.images, batch.targets))
    assert torch.allclose(mixed.images, images, atol=1e-6)
    assert torch.allclose(mixed.targets, targets)


def test_a_mix_of_parts_leaves_the_others_and_counts_coordinates_for_the_label(batch, bench_of):
    bench = bench_of()
    z = encode(bench.model, batch.images)
    moved, targets = Mix(lam=0.25, partner="next", parts=("fine",)).move(z, batch, bench)
    assert torch.equal(moved.parts["4px"], z.parts["4px"])
    assert torch.equal(moved.parts["8px"], z.parts["8px"])
    fine = z.parts["16px"]
    assert torch.allclose(moved.parts["16px"], 0.25 * fine + 0.75 * fine.roll(-1, 0), atol=1e-5)
    partners = 0.75 * 576 / 768  # the weight on 576 of 768 coordinates
    assert torch.allclose(targets, (1 - partners) * batch.targets + partners * batch.targets.roll(-1, 0))


def test_transport_of_parts_matches_by_these_parts_alone(batch, bench_of):
    """Fine parts that are equal in pairs find each other, whatever the coarse ones are."""
    coarse, fine = torch.randn(4, 48, generator=torch.Generator().manual_seed(0)) * 9, torch.tensor([0.0, 9, 0, 9])
    z = Latents({"coarse": coarse, "middle": coarse, "fine": fine[:, None]})
    four = Batch(batch.images[:4], torch.eye(4))
    mix = Mix(lam=0, partner="transport", k=4, distinct=True, parts=("fine",))
    assert mix.move(z, four, bench_of())[0].parts["fine"].flatten().tolist() == fine.tolist()


def test_a_mix_of_no_part_is_refused(batch, bench_of):
    with pytest.raises(UserError, match="No latent part"):
        Mix(parts=())(batch, bench_of())


@pytest.mark.parametrize("method", ["mixup", "k-mixup", "varmixup", "mixup-r"])
def test_images_and_targets_mix_by_the_same_weight(method, bench_of):
    """One-hot targets of one image each show who is mixed with whom, and by how much."""
    images = torch.rand(8, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    mixed = METHODS[method].operator(Batch(images, torch.eye(8)), bench_of("pixels", seed=3))
    expected = (mixed.targets @ images.flatten(1)).reshape(images.shape)
    assert torch.allclose(mixed.images, expected, atol=1e-5)


def test_mixup_r_mixes_what_the_model_makes_of_the_images(bench_of):
    images = torch.rand(8, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    batch = Batch(images, torch.eye(8))
    mixed = METHODS["mixup-r"].operator(batch, bench_of("vae", seed=3))
    rebuilt = rebuild_images(batch, bench_of("vae"))
    assert torch.allclose(mixed.images, (mixed.targets @ rebuilt.flatten(1)).reshape(images.shape), atol=1e-5)


def test_away_pushes_every_coordinate_away_from_zero(batch, bench_of):
    bench = bench_of("rotation")
    z = encode(bench.model, batch.images)
    delta = METHODS["away-la"].operator.move(z, batch, bench)[0].flat - z.flat
    assert (delta * z.flat >= 0).all()
    assert float(delta.square().sum(1).mean().sqrt()) == pytest.approx(20, rel=0.05)


def test_a_blur_spreads_a_point_and_keeps_its_light(bench_of):
    images = torch.zeros(1, 3, 16, 16)
    images[0, :, 8, 8] = 1
    blurred = Blur(sigma=1.0)(Batch(images, torch.ones(1, 1)), bench_of()).images
    assert torch.allclose(blurred.sum((2, 3)), torch.ones(1, 3), atol=1e-5)
    assert float(blurred[0, 0, 8, 8]) == pytest.approx(1 / (2 * torch.pi), rel=0.01)
    assert torch.equal(Blur(sigma=0)(Batch(images, torch.ones(1, 1)), bench_of()).images, images)


def test_distinct_mixes_every_image(bench_of):
    images = torch.rand(8, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    for partner in ("random", "transport", "hardest"):
        mixed = Mix(lam=0.5, partner=partner, distinct=True)(Batch(images, torch.eye(8)[:, :5].softmax(1)), bench_of())
        assert not torch.isclose(mixed.images, images).flatten(1).all(1).any()


def test_one_image_has_no_distinct_partner(bench_of):
    with pytest.raises(UserError, match="two or more"):
        Mix(distinct=True)(Batch(torch.rand(1, 3, 16, 16), torch.ones(1, 1)), bench_of())


def test_the_hardest_partner_is_at_least_as_hard_as_a_random_one(batch, bench_of):
    def hurt(operator) -> float:
        bench = bench_of(seed=9)
        moved, targets = operator.move(encode(bench.model, batch.images), batch, bench)
        return compute_latent_losses(moved, targets, bench).mean().item()

    assert hurt(Mix(partner="hardest", candidates=8)) >= hurt(Mix(partner="random"))
    assert hurt(Swap(partner="hardest", candidates=8)) >= hurt(Swap(partner="random"))


def test_slerp_by_hand():
    x, y = torch.tensor([[2.0, 0.0]]), torch.tensor([[0.0, 2.0]])
    assert torch.allclose(slerp(x, y, 1 / 3), 2 * torch.tensor([[math.cos(math.pi / 6), math.sin(math.pi / 6)]]))
    assert torch.equal(slerp(x, x, 0.3), x)
    assert torch.allclose(slerp(x, -x, 0.5), torch.zeros(1, 2))


def test_swap_takes_the_style_and_keeps_the_rest(batch, bench_of):
    bench = bench_of()
    z = encode(bench.model, batch.images)
    moved, targets = Swap(partner="next", parts=("fine",)).move(z, batch, bench)
    assert torch.equal(moved.parts["4px"], z.parts["4px"])
    assert torch.equal(moved.parts["16px"], z.parts["16px"].roll(-1, 0))
    assert torch.equal(targets, batch.targets)


def test_the_adversary_of_a_swap_stays_near_the_partner(batch, bench_of):
    z = encode(bench_of().model, batch.images)
    borrowed, _ = Swap().move(z, batch, bench_of())
    worse, _ = Swap(steps=4, epsilon=1.5).move(z, batch, bench_of())
    assert torch.equal(worse.parts["4px"], z.parts["4px"])
    assert torch.equal(worse.parts["8px"], z.parts["8px"])
    far = (worse.parts["16px"] - borrowed.parts["16px"]).norm(dim=1)
    assert (far > 0.5).all()
    assert (far <= 1.5 * (1 + 1e-5)).all()
    assert (
        compute_latent_losses(worse, batch.targets, bench_of()).mean()
        > compute_latent_losses(borrowed, batch.targets, bench_of()).mean()
    )


def test_swapping_everything_is_the_partner(batch, bench_of):
    partners = Batch(batch.images.roll(-1, 0), batch.targets)
    swapped = Swap(partner="next", parts=("coarse", "middle", "fine"))(batch, bench_of())
    assert torch.equal(swapped.images, rebuild_images(partners, bench_of()))


@pytest.mark.parametrize("seed", range(12))
def test_cutmix_pastes_a_box_and_counts_it(seed, bench_of):
    """Each image has one grey level, so that the box can be counted."""
    levels = torch.arange(8) / 8
    images = levels[:, None, None, None].expand(8, 3, 16, 16)
    mixed = CutMix()(Batch(images, torch.eye(8)), bench_of(seed=seed))
    for row in range(8):
        shares = torch.stack([(mixed.images[row] == level).float().mean() for level in levels])
        assert torch.allclose(shares, mixed.targets[row], atol=1e-6)


def test_standard_shifts_and_mirrors(bench_of):
    image = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    batch = Batch(image.expand(200, -1, -1, -1), torch.ones(200, 1))
    moved = Standard(padding=0)(batch, bench_of()).images
    mirrored = (moved == image.flip(-1)).flatten(1).all(1)
    assert 60 < mirrored.sum() < 140
    assert torch.equal(moved[~mirrored], batch.images[~mirrored])
    framed = torch.nn.functional.pad(image, (2, 2, 2, 2))[0]
    windows = {framed[:, i : i + 16, j : j + 16].numpy().tobytes() for i in range(5) for j in range(5)}
    shifted = Standard(padding=2, flip=False)(batch, bench_of()).images
    assert {one.contiguous().numpy().tobytes() for one in shifted} == windows

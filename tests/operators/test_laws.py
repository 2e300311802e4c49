"""What holds for every operator, method and corruption, in every space."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace

import pytest
import torch

from latentlab.errors import UserError
from latentlab.knobs import list_settings, tool_from_json, tool_to_json
from latentlab.operators import (
    CORRUPTIONS,
    METHODS,
    OPERATORS,
    Adversary,
    Mix,
    Noise,
    Shift,
    Swap,
    make_operator,
    rebuild_images,
)
from latentlab.types import Batch

SPACES = ("pixels", "rotation", "glow", "vae", "stylegan2")
SINGLE = ("pixels", "vae")  # one part: nothing to swap
VARIANTS = {
    "noise-gaussian": Noise(shape="gaussian"),
    "noise-coarse": Noise(parts=("coarse",)),
    "shift": Shift(),
    "adversary-linf": Adversary(norm="linf", epsilon=0.1),
    "adversary-target": Adversary(label="target", target=2),
    "adversary-fine": Adversary(parts=("fine",)),
    "mix-transport": Mix(partner="transport", k=4, distinct=True),
    "mix-hardest": Mix(partner="hardest", candidates=3),
    "mix-spherical": Mix(path="spherical", lam=0.3),
    "mix-fine": Mix(parts=("fine",), lam=0.3),
    "mix-parts-transport": Mix(partner="transport", path="spherical", parts=("coarse", "middle"), k=4),
    "swap-hardest": Swap(partner="hardest", steps=2),
    "swap-next": Swap(partner="next", parts=("coarse", "fine")),
}
OPERATIONS = {
    **{name: cls() for name, cls in OPERATORS.items()},
    **{name: method.operator for name, method in METHODS.items()},
    **{name: cls() for name, cls in CORRUPTIONS.items()},
    **VARIANTS,
}
NEED_CLASSIFIER = [n for n, o in OPERATIONS.items() if isinstance(o, Adversary) or "hardest" in n or n == "advmix"]


def needs_parts(operator) -> bool:
    return set(getattr(operator, "parts", ("coarse", "middle", "fine"))) != {"coarse", "middle", "fine"}


def pairs() -> list[tuple[str, str]]:
    spaces = {name: ("rotation",) if name in CORRUPTIONS else SPACES for name in OPERATIONS}
    return [(n, s) for n, o in OPERATIONS.items() for s in spaces[n] if not (needs_parts(o) and s in SINGLE)]


@pytest.mark.parametrize(("name", "space"), pairs())
def test_range_shape_targets_and_seed(name, space, batch, bench_of):
    first, again = (OPERATIONS[name](batch, bench_of(space)) for _ in range(2))
    assert first.images.shape == batch.images.shape
    assert first.images.dtype == batch.images.dtype
    assert first.images.isfinite().all()
    assert first.images.min() >= 0
    assert first.images.max() <= 1
    assert torch.allclose(first.targets.sum(1), torch.ones(len(batch)))
    assert not first.images.requires_grad
    assert torch.equal(first.images, again.images)
    assert torch.equal(first.targets, again.targets)


@pytest.mark.parametrize("name", OPERATIONS)
def test_leaves_no_trace(name, batch, bench_of, net):
    modes = [layer.training for layer in net.modules()]
    weights = {key: value.clone() for key, value in net.state_dict().items()}
    images, targets, chance = batch.images.clone(), batch.targets.clone(), torch.random.get_rng_state()
    OPERATIONS[name](batch, bench_of())
    assert [layer.training for layer in net.modules()] == modes
    assert all(parameter.grad is None and parameter.requires_grad for parameter in net.parameters())
    assert all(torch.equal(value, weights[key]) for key, value in net.state_dict().items())
    assert torch.equal(torch.random.get_rng_state(), chance)
    assert torch.equal(batch.images, images)
    assert torch.equal(batch.targets, targets)
    assert batch.images.grad is None


@pytest.mark.parametrize("name", OPERATIONS)
def test_eight_at_once_give_the_bits_of_one_alone(name, batch, bench_of, net):
    alone = [OPERATIONS[name](batch, bench_of(seed=seed)).images for seed in range(8)]
    with ThreadPoolExecutor(8) as pool:
        together = pool.map(lambda seed: OPERATIONS[name](batch, bench_of(seed=seed)).images, range(8))
        assert all(torch.equal(a, b) for a, b in zip(alone, together, strict=True))
    assert net.training
    assert not net[1].training


@pytest.mark.parametrize("name", NEED_CLASSIFIER)
def test_without_a_classifier_it_says_so(name, batch, bench_of):
    with pytest.raises(UserError, match="needs a classifier"):
        OPERATIONS[name](batch, bench_of(classifier=None))


@pytest.mark.parametrize("name", [n for n in OPERATIONS if n not in NEED_CLASSIFIER])
def test_others_need_none(name, batch, bench_of):
    OPERATIONS[name](batch, bench_of(classifier=None))


@pytest.mark.parametrize("cls", list(dict.fromkeys(map(type, OPERATIONS.values()))))
def test_numbers_that_are_none_are_refused(cls):
    for setting in list_settings(cls):
        for bad in (float("nan"), float("inf"), -1e9, 1e9, "ten", None, [1]):
            if setting.type in (int, float):
                with pytest.raises(UserError, match=setting.name):
                    setting.check_value(bad)
        if setting.type is float:
            with pytest.raises(UserError, match=setting.name):
                cls(**{setting.name: float("nan")})


@pytest.mark.parametrize("name", OPERATIONS)
def test_json_gives_the_same_operator(name):
    operator = OPERATIONS[name]
    assert tool_from_json(type(operator), tool_to_json(operator)) == operator
    assert {field.name for field in fields(operator)} == set(tool_to_json(operator))


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize(
    "still",
    [
        METHODS["reconstruct"].operator,
        Noise(epsilon=0, shape="gaussian"),
        Shift(amount=0),
        Adversary(epsilon=0),
        Adversary(epsilon=0, norm="linf", label="true"),
        Mix(lam=1),
        Mix(lam=1, path="spherical", partner="next"),
        Mix(lam=1, partner="transport"),
        Mix(lam=1, partner="hardest"),
    ],
)
def test_no_move_is_the_clean_path_bit_for_bit(space, still, batch, bench_of):
    moved = still(batch, bench_of(space))
    assert torch.equal(moved.images, rebuild_images(batch, bench_of(space)))
    assert torch.equal(moved.targets, batch.targets)


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("path", ["straight", "spherical"])
def test_nothing_of_oneself_is_the_partner_bit_for_bit(space, path, batch, bench_of):
    moved = Mix(lam=0, path=path, partner="next")(batch, bench_of(space))
    partners = Batch(batch.images.roll(-1, 0), batch.targets.roll(-1, 0))
    assert torch.equal(moved.images, rebuild_images(partners, bench_of(space)))
    assert torch.equal(moved.targets, partners.targets)


PARTED = ("rotation", "glow", "stylegan2")


@pytest.mark.parametrize("space", PARTED)
@pytest.mark.parametrize("path", ["straight", "spherical"])
def test_a_mix_of_parts_ends_at_the_clean_path_and_at_the_swap_bit_for_bit(space, path, batch, bench_of):
    parts = ("coarse", "fine")
    still = Mix(lam=1, path=path, partner="next", parts=parts)(batch, bench_of(space))
    assert torch.equal(still.images, rebuild_images(batch, bench_of(space)))
    assert torch.equal(still.targets, batch.targets)
    whole = Mix(lam=0, path=path, partner="next", parts=parts)(batch, bench_of(space))
    assert torch.equal(whole.images, Swap(partner="next", parts=parts)(batch, bench_of(space)).images)


@pytest.mark.parametrize("space", PARTED)
def test_a_swap_without_radius_is_a_swap_bit_for_bit(space, batch, bench_of):
    swap = Swap(steps=3, epsilon=0)
    assert torch.equal(swap(batch, bench_of(space)).images, replace(swap, steps=0)(batch, bench_of(space)).images)


@pytest.mark.parametrize("space", SINGLE)
def test_one_part_cannot_be_swapped(space, batch, bench_of):
    with pytest.raises(UserError, match="single latent part"):
        Swap()(batch, bench_of(space))


def test_images_of_another_size_are_refused(bench_of):
    with pytest.raises(UserError, match="3×8×8; this model takes 3×16×16"):
        Noise()(Batch(torch.rand(2, 3, 8, 8), torch.ones(2, 1)), bench_of())


def test_make_finds_every_name():
    assert all(make_operator(name) == OPERATIONS[name] for name in [*OPERATORS, *METHODS, *CORRUPTIONS])
    assert tool_to_json(make_operator("pixel-pgd", {"steps": 9})) == {
        **tool_to_json(METHODS["pixel-pgd"].operator),
        "steps": 9,
    }
    with pytest.raises(UserError, match="no operator 'nois'"):
        make_operator("nois")
    with pytest.raises(UserError, match="no knob"):
        make_operator("noise", {"radius": 1})


def test_every_method_names_its_source():
    assert all(method.source and "\n" not in method.source for method in METHODS.values())

"""Directions that hold at one code alone, against numbers that a person can add up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.functional import normalize

from latentlab.errors import UserError
from latentlab.models import Pixels
from latentlab.operators import Shift
from latentlab.operators.local_directions import (
    NEIGHBOUR_COUNT,
    find_local_direction,
    is_local_direction,
    list_local_directions,
    needs_images,
)
from latentlab.types import Batch, Bench, Flat, Latents

SHAPE = (1, 2, 2)


class Readout(nn.Module):
    """Two logits: the sum of the first row of pixels, and twice that of the second."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        rows = images.sum((1, 3))
        return torch.stack([rows[:, 0], 2 * rows[:, 1]], 1)


def make_bench(codes: Flat | None = None, classifier: nn.Module | None = None) -> Bench:
    references = None if codes is None else lambda: codes
    return Bench(Pixels(SHAPE), classifier, torch.Generator(), references)


def encode_row(*values: float) -> Latents:
    return Pixels(SHAPE).encode(torch.tensor(values).reshape(1, *SHAPE))


def make_two_lines() -> Flat:
    """Codes along the first axis near 0.2, and as many along the second one far away."""
    spread = torch.linspace(-0.1, 0.1, NEIGHBOUR_COUNT)
    codes = torch.full((2 * NEIGHBOUR_COUNT, 4), 0.2)
    codes[:NEIGHBOUR_COUNT, 0] += spread
    codes[NEIGHBOUR_COUNT:] = 0.9
    codes[NEIGHBOUR_COUNT:, 1] += spread
    return codes


@pytest.mark.parametrize(("here", "axis"), [(0.2, 0), (0.9, 1)])
def test_the_first_local_direction_is_how_the_nearest_codes_spread(here: float, axis: int) -> None:
    found = find_local_direction("local-1", encode_row(here, here, here, here), make_bench(make_two_lines()))
    deviation = torch.linspace(-0.1, 0.1, NEIGHBOUR_COUNT).std()
    expected = torch.zeros(1, 4)
    expected[0, axis] = deviation
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)


def test_up_the_decision_the_second_class_gains_on_the_first() -> None:
    latents, bench = encode_row(0.9, 0.8, 0.1, 0.2), make_bench(classifier=Readout())
    found = find_local_direction("decision", latents, bench)
    torch.testing.assert_close(found, torch.tensor([[-1.0, -1.0, 2.0, 2.0]]) / 10**0.5)
    assert Readout()(latents.parts["pixels"]).argmax() == 0
    batch = Batch(torch.zeros(1, *SHAPE), torch.eye(2)[:1])
    moved, _ = Shift(direction="decision", amount=0.8).move(latents, batch, bench)
    assert Readout()(moved.parts["pixels"]).argmax() == 1


def test_inside_the_data_a_decision_has_nothing_outside_them() -> None:
    bench = make_bench(make_two_lines(), Readout())
    found = find_local_direction("decision-inside", encode_row(0.5, 0.5, 0.1, 0.1), bench)[0]
    centred = make_two_lines() - make_two_lines().mean(0)
    basis = torch.linalg.svd(centred, full_matrices=False)[2][:3]  # both lines, and the way from one to the other
    slope = torch.tensor([-1.0, -1.0, 2.0, 2.0]) @ basis.T @ basis
    torch.testing.assert_close(normalize(found, dim=0), normalize(slope, dim=0), atol=1e-4, rtol=0)
    assert float(found.norm()) == pytest.approx(float((centred @ normalize(slope, dim=0)).std()), rel=1e-4)


@pytest.mark.parametrize("name", [*list_local_directions(False, True), *list_local_directions(True, True)])
@pytest.mark.parametrize("space", ["glow", "vae", "stylegan2"])
def test_a_name_is_enough_to_find_it_again(bench_of: Callable[..., Any], batch: Any, space: str, name: str) -> None:
    def find_again() -> Any:
        bench = bench_of(space)
        codes = bench.model.encode(torch.rand(40, 3, 16, 16, generator=torch.Generator().manual_seed(1))).flat
        bench = replace(bench, encode_references=lambda: codes)
        return Shift(direction=name, amount=1.5)(batch, bench).images

    assert is_local_direction(name)
    assert needs_images(name) == ("drawn" not in name and name != "decision")
    first = find_again()
    assert find_again().equal(first)
    assert not first.equal(bench_of(space).model.decode(bench_of(space).model.encode(batch.images)))


def test_what_is_known_of_these_codes_is_not_found_again(batch: Any) -> None:
    latents = encode_row(0.5, 0.5, 0.5, 0.5)
    bench = replace(make_bench(), local_directions={"local-1": torch.tensor([[0.0, 0.0, 0.0, 0.25]])})
    moved, _ = Shift(direction="2*local-1", amount=1.0).move(latents, batch, bench)
    assert moved.flat.tolist() == [[0.5, 0.5, 0.5, 1.0]]


def test_only_the_decision_looks_at_the_classifier() -> None:
    assert Shift(direction="2*pc1 + -1*decision").needs_classifier
    assert not Shift(direction="2*pc1 + -1*local-2").needs_classifier


@pytest.mark.parametrize(
    ("name", "words"),
    [("local-1", "no images here.*local-drawn-1"), ("decision", "needs a classifier"), ("local-drawn-1", "no prior")],
)
def test_what_is_missing_is_said(name: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        find_local_direction(name, encode_row(0.5, 0.5, 0.5, 0.5), make_bench())


def test_fewer_images_than_components_are_said() -> None:
    with pytest.raises(UserError, match="too few images for local-3"):
        find_local_direction("local-3", encode_row(0.5, 0.5, 0.5, 0.5), make_bench(make_two_lines()[:3]))

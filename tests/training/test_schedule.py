"""The augmentation of fits, on numbers a person can check."""

from __future__ import annotations

import pytest
import torch

from latentlab import chance
from latentlab.training.schedule import crop_randomly, flip_randomly, schedule_cosine, turn_randomly
from latentlab.types import Images


@pytest.fixture
def pictures() -> Images:
    return chance.draw_uniform((64, 3, 8, 8), chance.make_generator(0))


def test_a_flip_mirrors_about_half_of_the_images_and_leaves_the_rest(pictures: Images, rng: torch.Generator) -> None:
    flipped = flip_randomly(pictures, rng)
    mirrored = (flipped == pictures.flip(3)).flatten(1).all(1)
    assert torch.equal(flipped[~mirrored], pictures[~mirrored])
    assert 16 < int(mirrored.sum()) < 48


def test_a_crop_moves_by_whole_pixels(pictures: Images, rng: torch.Generator) -> None:
    """The middle of each cropped image lies somewhere within the margin of where it was."""
    moved = crop_randomly(pictures, 2, rng)[:, :, 2:6, 2:6]
    places = pictures.unfold(2, 4, 1).unfold(3, 4, 1).permute(0, 2, 3, 1, 4, 5)
    assert (places == moved[:, None, None]).flatten(3).all(3).flatten(1).any(1).all()


def test_no_turn_and_no_zoom_change_nothing(pictures: Images, rng: torch.Generator) -> None:
    assert torch.allclose(turn_randomly(pictures, 0.0, 0.0, rng), pictures, atol=1e-6)


def test_a_turn_keeps_the_size_of_what_it_turns(rng: torch.Generator) -> None:
    """A disc stays a disc under every turn; its area follows the zoom."""
    steps = torch.linspace(-1, 1, 64)
    radius = (steps[:, None].square() + steps.square()).sqrt()
    disc = (8 * (0.5 - radius) + 0.5).clamp(0, 1).expand(32, 1, 64, 64)
    assert (turn_randomly(disc, 180.0, 0.0, rng) - disc).abs().mean() < 0.01
    areas = turn_randomly(disc, 180.0, 0.2, rng).mean((1, 2, 3)) / disc[0].mean()
    assert areas.min() > 1 / 1.2**2 - 0.02
    assert areas.max() < 1 / 0.8**2 + 0.02
    assert areas.max() - areas.min() > 0.3


def test_the_rate_rises_and_falls() -> None:
    assert schedule_cosine(0.05, 0.1) == pytest.approx(0.5)
    assert schedule_cosine(0.1, 0.1) == pytest.approx(1.0)
    assert schedule_cosine(0.55, 0.1) == pytest.approx(0.505)
    assert schedule_cosine(1.0, 0.1) == pytest.approx(0.01)

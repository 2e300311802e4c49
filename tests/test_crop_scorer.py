"""The part of a photo that looks like a world's pictures: found in scenes, left alone where nothing promises more."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from latentlab import datasets
from latentlab.chance import make_generator
from latentlab.crop_fitting import SCENE_SIDES, fit_crop_scorer, make_scene
from latentlab.crop_scorer import (
    CropScorer,
    cut_windows,
    describe_windows,
    list_grid_boxes,
    load_crop_scorer,
    measure_overlap,
    place_box,
    propose_crop,
    save_crop_scorer,
)
from latentlab.images import find_centre_box, to_pillow


@pytest.fixture(scope="module")
def scorer() -> CropScorer:
    made = fit_crop_scorer(datasets.load_world("digits").train.images, scenes=300)
    assert made is not None
    return made


def test_a_digit_is_found_wherever_it_lies(scorer: CropScorer) -> None:
    test, rng, found, centre = datasets.load_world("digits").test.images, make_generator(7), 0, 0
    for _ in range(20):
        scene, true = make_scene(test, rng)
        photo = to_pillow(scene).resize((512, 384))
        left, top, right, bottom = true
        wanted = (4 * left, 4 * top, 4 * right, 4 * bottom)
        found += measure_overlap(propose_crop(scorer, photo).box, wanted) > 0.6
        centre += measure_overlap(find_centre_box(photo.size, scorer.image_shape), wanted) > 0.6
    assert found >= 15
    assert centre <= 6


def test_a_picture_of_the_world_itself_stays_whole(scorer: CropScorer) -> None:
    test = datasets.load_world("digits").test.images[:20]
    photos = [to_pillow(image.float() / 255).resize((200, 200)) for image in test]
    kept = sum(measure_overlap(propose_crop(scorer, photo).box, (0, 0, 200, 200)) > 0.6 for photo in photos)
    assert kept >= 15


@pytest.mark.parametrize("size", [(3, 3), (1000, 20), (20, 1000), (37, 91), (1024, 1024)])
def test_the_box_lies_inside_of_any_photo(scorer: CropScorer, size: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    photo = Image.fromarray(rng.integers(0, 256, (size[1], size[0], 3), np.uint8))
    left, top, right, bottom = propose_crop(scorer, photo).box
    assert 0 <= left < right <= size[0]
    assert 0 <= top < bottom <= size[1]
    assert (right - left) / (bottom - top) == pytest.approx(1, rel=0.35)


def test_windows_of_a_grid_by_hand() -> None:
    boxes = list_grid_boxes((40, 20), (3, 8, 8))
    assert boxes[:5] == [(0, 0, 20, 20), (5, 0, 25, 20), (10, 0, 30, 20), (15, 0, 35, 20), (20, 0, 40, 20)]
    assert all(right <= 40.001 and bottom <= 20.001 for _, _, right, bottom in boxes)
    wide = list_grid_boxes((90, 90), (1, 48, 80))
    assert all((right - left) / (bottom - top) == pytest.approx(80 / 48) for left, top, right, bottom in wide)


def test_overlap_by_hand() -> None:
    assert measure_overlap((0, 0, 2, 2), (1, 0, 3, 2)) == pytest.approx(2 / 6)
    assert measure_overlap((0, 0, 1, 1), (2, 2, 3, 3)) == 0
    assert place_box(0, 0, 4, 4, (10, 10)) == (0, 0, 4, 4)
    assert place_box(5, 5, 40, 20, (10, 10)) == (0, 2.5, 10, 7.5)


def test_a_window_of_one_colour_has_no_direction() -> None:
    flat = torch.full((1, 3, 32, 32), 0.3)
    assert describe_windows(flat).abs().max() < 1e-4
    picture = torch.rand(3, *SCENE_SIDES)
    whole = cut_windows(picture, [(10.0, 20.0, 42.0, 52.0)], (3, 64, 64))
    assert torch.allclose(whole[0], picture[:, 20:52, 10:42], atol=1e-5)


def test_too_few_pictures_or_pictures_of_nothing_have_no_scorer() -> None:
    assert fit_crop_scorer(datasets.load_world("digits").train.images[:20], scenes=10) is None
    noise = torch.randint(0, 256, (80, 3, 16, 16), dtype=torch.uint8, generator=make_generator(0))
    flat = torch.full((80, 3, 16, 16), 128, dtype=torch.uint8)
    for images in (noise, flat):
        made = fit_crop_scorer(images, scenes=20)
        assert made is None or bool(made.weights.isfinite().all())


def test_a_scorer_goes_to_the_disk_and_back(scorer: CropScorer, tmp_path: Path) -> None:
    save_crop_scorer(tmp_path / "digits.safetensors", scorer)
    back = load_crop_scorer(tmp_path / "digits.safetensors")
    assert back.image_shape == scorer.image_shape
    assert torch.equal(back.weights, scorer.weights)
    photo = Image.new("RGB", (90, 60), "grey")
    assert propose_crop(back, photo) == propose_crop(scorer, photo)

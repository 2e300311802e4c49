"""A crop scorer is fitted on scenes that are made of a world's own pictures, and tried on others of the same making."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor

from latentlab.chance import draw_normal, draw_uniform, make_generator
from latentlab.crop_scorer import (
    CropScorer,
    cut_windows,
    describe_windows,
    measure_overlap,
    place_box,
    search_best_box,
    standardise_windows,
)
from latentlab.images import CropBox, ImageTensor
from latentlab.types import ImageShape

Levels = UInt8[Tensor, "N C H W"]
Scene = Float[Tensor, "C h w"]  # in [0, 1]

SCENE_SIDES = (96, 128)  # height, width in pixels
PICTURE_SHARES = (0.29, 0.78)  # of the scene that a pasted picture takes
SCENES, WINDOWS_NEAR, WINDOWS_FAR = 800, 5, 3  # scenes that are learned from; windows of each, besides the true one
RIDGE = 10.0
FEWEST_PICTURES = 50
TRIAL_SCENES, TRIAL_SHARE, FOUND_OVERLAP = 30, 0.5, 0.6  # a scorer that finds fewer in its trial is of no use
NOISE_GRID = 32  # pixels a side of coloured noise before it is enlarged
TRIAL_SEED = 1


def fit_crop_scorer(images: Levels, scenes: int = SCENES, seed: int = 0) -> CropScorer | None:
    """Fit on the pictures of a world; None where they are too few, or where the scorer fails in its own trial."""
    if len(images) < FEWEST_PICTURES:
        return None
    rng, shape = make_generator(seed), _read_shape(images)
    described, overlaps = [], []
    for _ in range(scenes):
        scene, true = make_scene(images, rng)
        boxes = [true, *draw_boxes(true, rng)]
        described.append(describe_windows(cut_windows(scene, boxes, shape)))
        overlaps += [measure_overlap(box, true) for box in boxes]
    windows, wanted = torch.cat(described), torch.tensor(overlaps)
    mean, deviation = windows.mean(0), windows.std(0) + 1e-4
    standard = standardise_windows(windows, mean, deviation)
    ridge = standard.T @ standard + RIDGE * torch.eye(standard.shape[1])
    scorer = CropScorer(shape, torch.linalg.solve(ridge, standard.T @ wanted), mean, deviation)
    return scorer if try_crop_scorer(scorer, images) >= TRIAL_SHARE else None


def try_crop_scorer(scorer: CropScorer, images: Levels) -> float:
    """Return the share of new scenes in which the scorer finds the picture."""
    rng = make_generator(TRIAL_SEED)
    found = 0
    for _ in range(TRIAL_SCENES):
        scene, true = make_scene(images, rng)
        found += measure_overlap(search_best_box(scorer, scene)[0], true) > FOUND_OVERLAP
    return found / TRIAL_SCENES


def make_scene(images: Levels, rng: torch.Generator) -> tuple[Scene, CropBox]:
    """Paste a picture at a random place and size into coloured noise, or into an enlarged piece of another picture."""
    (low, high), shape = PICTURE_SHARES, _read_shape(images)
    scene = _draw_noise(shape[0], rng) if draw_uniform((1,), rng) < 0.5 else _enlarge_piece(images, rng)
    share, across, down = draw_uniform((3,), rng).tolist()
    scale = (low + (high - low) * share) * min(SCENE_SIDES[0] / shape[1], SCENE_SIDES[1] / shape[2])
    tall, wide = max(8, round(shape[1] * scale)), max(8, round(shape[2] * scale))
    picture = F.interpolate(_draw_picture(images, rng)[None], (tall, wide), mode="bilinear", antialias=True)[0]
    top, left = round(down * (SCENE_SIDES[0] - tall)), round(across * (SCENE_SIDES[1] - wide))
    scene[:, top : top + tall, left : left + wide] = picture
    return scene, (float(left), float(top), float(left + wide), float(top + tall))


def draw_boxes(true: CropBox, rng: torch.Generator) -> list[CropBox]:
    """Draw boxes of the same proportions near the true one, and others anywhere."""
    size = (SCENE_SIDES[1], SCENE_SIDES[0])
    wide, high = true[2] - true[0], true[3] - true[1]
    x, y = (true[0] + true[2]) / 2, (true[1] + true[3]) / 2
    boxes = []
    for grow, dx, dy in draw_normal((WINDOWS_NEAR, 3), rng).tolist():
        scale = math.exp(0.3 * grow)
        boxes.append(place_box(x + 0.25 * dx * wide, y + 0.25 * dy * high, wide * scale, high * scale, size))
    most = min(size[0] / wide, size[1] / high)
    for share, across, down in draw_uniform((WINDOWS_FAR, 3), rng).tolist():
        scale = most * (PICTURE_SHARES[0] + (1 - PICTURE_SHARES[0]) * share)
        boxes.append(place_box(across * size[0], down * size[1], wide * scale, high * scale, size))
    return boxes


def _draw_picture(images: Levels, rng: torch.Generator) -> ImageTensor:
    return images[int(draw_uniform((1,), rng) * len(images))].float() / 255


def _draw_noise(channels: int, rng: torch.Generator) -> Scene:
    """Draw noise whose spectrum falls as that of photographs does, its channels mixed."""
    power, contrast = 1 + float(draw_uniform((1,), rng)), 0.1 + 0.2 * float(draw_uniform((1,), rng))
    down, across = torch.fft.fftfreq(NOISE_GRID)[:, None], torch.fft.rfftfreq(NOISE_GRID)[None]
    frequency = torch.hypot(down, across).clamp(min=1 / NOISE_GRID)
    spectrum = torch.view_as_complex(draw_normal((channels, *frequency.shape, 2), rng)) / frequency**power
    noise = torch.fft.irfft2(spectrum, (NOISE_GRID, NOISE_GRID))
    mixed = torch.einsum("ij,jhw->ihw", torch.eye(channels) + 0.4 * draw_normal((channels, channels), rng), noise)
    plain = (mixed - mixed.mean((1, 2), keepdim=True)) / mixed.std()
    level = 0.2 + 0.6 * draw_uniform((channels, 1, 1), rng)
    return _fill_scene((contrast * plain + level).clamp(0, 1))


def _enlarge_piece(images: Levels, rng: torch.Generator) -> Scene:
    """Enlarge a piece of a picture, turned by a multiple of 90°, which is no whole picture."""
    picture = _draw_picture(images, rng)
    share, across, down, turn = draw_uniform((4,), rng).tolist()
    sides = [max(2, round(side * (0.15 + 0.3 * share))) for side in picture.shape[1:]]
    top, left = (round(place * (whole - side)) for place, whole, side in
                 zip((down, across), picture.shape[1:], sides, strict=True))  # fmt: skip
    return _fill_scene(picture[:, top : top + sides[0], left : left + sides[1]].rot90(int(4 * turn), (1, 2)))


def _fill_scene(image: Float[Tensor, "C a b"]) -> Scene:
    return F.interpolate(image[None], SCENE_SIDES, mode="bicubic")[0].clamp(0, 1)


def _read_shape(images: Levels) -> ImageShape:
    channels, height, width = images.shape[1:]
    return channels, height, width

"""The part of a photo that looks most like a world's own pictures: a ridge regression on gradients.

It learns from the pictures alone. Each is pasted at a random place and size into a scene of coloured noise or of
enlarged pieces of other pictures; windows around it and elsewhere are described by histograms of oriented gradients
(Dalal, Triggs 2005) and coarse colours, and their overlap with the true box is regressed. A photo's windows are scored
in one batch, then moved and sized in two finer rounds.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Float
from PIL import Image
from safetensors import safe_open
from torch import Tensor

from latentlab.images import CropBox, ImageTensor, find_centre_box, stretch_to
from latentlab.models.checkpoint import write_tensors
from latentlab.types import Flat, ImageShape

Windows = Float[Tensor, "B C h w"]  # in [0, 1]

WINDOW_SIDE, CELL, BINS = 32, 4, 9  # pixels of a window's longer side, of a cell; directions of gradients
COLOUR_WEIGHT = 0.5
PHOTO_SIDE = 256  # pixels of the photo's longer side when it is searched
SEARCH_STEP, SIZE_STEP, SMALLEST_SHARE = 0.25, 0.8, 0.27  # of windows: shift by their side, next size, of the photo
KEPT_WINDOWS = 4  # that go into the finer rounds
FINER_ROUNDS = (((-0.1, 0.0, 0.1), (0.87, 1.0, 1.15)), ((-0.05, 0.0, 0.05), (0.93, 1.0, 1.07)))  # shifts, sizes
MARGIN = 0.15  # of overlap that a box must promise beyond the centre: whole pictures of a world stay whole


@dataclass(frozen=True, eq=False)
class CropScorer:
    """The overlap that a window promises: weights of its standardised description, the last one a constant."""

    image_shape: ImageShape
    weights: Float[Tensor, " D"]
    mean: Float[Tensor, " d"]
    deviation: Float[Tensor, " d"]

    def score_windows(self, picture: ImageTensor, boxes: Sequence[CropBox]) -> Float[Tensor, " B"]:
        described = describe_windows(cut_windows(picture, boxes, self.image_shape))
        return standardise_windows(described, self.mean, self.deviation) @ self.weights


@dataclass(frozen=True)
class CropProposal:
    """The box in the photo's pixels, and the overlap with one of the world's own pictures that it and the centre
    promise.
    """

    box: CropBox
    promise: float
    centre_promise: float


def propose_crop(scorer: CropScorer, photo: Image.Image) -> CropProposal:
    """Find the box that looks most like the world's pictures; the centre's, where no other promises more."""
    factor = PHOTO_SIDE / max(photo.size)
    size = (max(1, round(photo.width * factor)), max(1, round(photo.height * factor)))
    picture = stretch_to(photo, (scorer.image_shape[0], size[1], size[0]))
    centre = find_centre_box(size, scorer.image_shape)
    centre_promise = float(scorer.score_windows(picture, [centre]))
    box, promise = search_best_box(scorer, picture)
    if promise < centre_promise + MARGIN:
        return CropProposal(find_centre_box(photo.size, scorer.image_shape), centre_promise, centre_promise)
    return CropProposal(_scale_box(box, size, photo.size), promise, centre_promise)


def search_best_box(scorer: CropScorer, picture: ImageTensor) -> tuple[CropBox, float]:
    """Return the best box and what it promises: all windows of a grid, then finer steps around the best of them."""
    size = (picture.shape[2], picture.shape[1])
    boxes = list_grid_boxes(size, scorer.image_shape)
    scores = scorer.score_windows(picture, boxes)
    for shifts, sizes in FINER_ROUNDS:
        best = scores.topk(min(KEPT_WINDOWS, len(boxes))).indices.tolist()
        boxes = [finer for place in best for finer in list_finer_boxes(boxes[place], size, shifts, sizes)]
        scores = scorer.score_windows(picture, boxes)
    place = int(scores.argmax())
    return boxes[place], float(scores[place])


def list_grid_boxes(size: tuple[int, int], shape: ImageShape) -> list[CropBox]:
    """List boxes of the shape's proportions, from the largest down, each size shifted by a quarter of its sides."""
    left, top, right, bottom = find_centre_box(size, shape)
    width, height, boxes = right - left, bottom - top, []
    scale = 1.0
    while scale >= SMALLEST_SHARE:
        wide, high = width * scale, height * scale
        for y in _spread_places(size[1] - high, high * SEARCH_STEP):
            boxes += [(x, y, x + wide, y + high) for x in _spread_places(size[0] - wide, wide * SEARCH_STEP)]
        scale *= SIZE_STEP
    return boxes


def _spread_places(room: float, step: float) -> list[float]:
    count = math.ceil(max(room, 0.0) / step - 1e-6)
    return [room * place / count for place in range(count + 1)] if count > 0 else [max(room, 0.0) / 2]


def list_finer_boxes(
    box: CropBox, size: tuple[int, int], shifts: Sequence[float], sizes: Sequence[float]
) -> list[CropBox]:
    """List the boxes that are shifted by shares of the sides, and sized, as far as the picture goes."""
    wide, high = box[2] - box[0], box[3] - box[1]
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    return [
        place_box(x + dx * wide, y + dy * high, wide * scale, high * scale, size)
        for scale in sizes
        for dx in shifts
        for dy in shifts
    ]


def place_box(x: float, y: float, wide: float, high: float, size: tuple[int, int]) -> CropBox:
    """Return the box around a point, smaller where it is too large, moved where it would leave the picture."""
    fit = min(1.0, size[0] / wide, size[1] / high)
    wide, high = wide * fit, high * fit
    left, top = min(max(0.0, x - wide / 2), size[0] - wide), min(max(0.0, y - high / 2), size[1] - high)
    return left, top, left + wide, top + high


def _scale_box(box: CropBox, size: tuple[int, int], whole: tuple[int, int]) -> CropBox:
    """Return the box in the pixels of the whole photo, inside of it."""
    across, down = whole[0] / size[0], whole[1] / size[1]
    left, top, right, bottom = box
    return max(0.0, left * across), max(0.0, top * down), min(whole[0], right * across), min(whole[1], bottom * down)


def measure_overlap(one: CropBox, other: CropBox) -> float:
    """Return intersection over union."""
    wide = min(one[2], other[2]) - max(one[0], other[0])
    high = min(one[3], other[3]) - max(one[1], other[1])
    shared = max(0.0, wide) * max(0.0, high)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return shared / (sum(areas) - shared)


def choose_window_sides(shape: ImageShape) -> tuple[int, int]:
    """Return height and width of a window in whole cells, the longer one as long as windows are."""
    _, height, width = shape
    cells = WINDOW_SIDE // CELL
    return tuple(CELL * max(2, round(cells * side / max(height, width))) for side in (height, width))  # pyright: ignore


def cut_windows(picture: ImageTensor, boxes: Sequence[CropBox], shape: ImageShape) -> Windows:
    """Cut the boxes out as windows of one size; the picture is scaled once for all boxes of a size."""
    high, wide = choose_window_sides(shape)
    windows = picture.new_empty(len(boxes), len(picture), high, wide)
    scaled: dict[float, Tensor] = {}
    for place, (left, top, right, bottom) in enumerate(boxes):
        key = round(right - left, 3)
        if key not in scaled:
            sides = (round(picture.shape[1] * high / (bottom - top)), round(picture.shape[2] * wide / (right - left)))
            sides = (max(high, sides[0]), max(wide, sides[1]))
            scaled[key] = F.interpolate(picture[None], sides, mode="bilinear", antialias=True)[0]
        image = scaled[key]
        y = min(round(top * high / (bottom - top)), image.shape[1] - high)
        x = min(round(left * wide / (right - left)), image.shape[2] - wide)
        windows[place] = image[:, y : y + high, x : x + wide]
    return windows


def describe_windows(windows: Windows) -> Flat:
    """Describe each window by the directions of its gradients, cell by cell, and by coarse colours."""
    grey = F.pad(windows.mean(1, keepdim=True), (1, 1, 1, 1), mode="replicate")
    across = (grey[:, :, 1:-1, 2:] - grey[:, :, 1:-1, :-2])[:, 0]
    down = (grey[:, :, 2:, 1:-1] - grey[:, :, :-2, 1:-1])[:, 0]
    strength, angle = torch.hypot(across, down), torch.atan2(down, across) % torch.pi / torch.pi * BINS
    lower, share = angle.floor().long() % BINS, angle - angle.floor()
    votes = windows.new_zeros(len(windows), BINS, *strength.shape[1:])
    votes.scatter_(1, lower[:, None], (strength * (1 - share))[:, None])
    votes.scatter_add_(1, ((lower + 1) % BINS)[:, None], (strength * share)[:, None])
    cells = F.avg_pool2d(votes, CELL)
    energy = F.avg_pool2d(cells.square().sum(1, keepdim=True), 3, 1, 1, count_include_pad=False)
    colours = F.avg_pool2d(windows, CELL)
    centred = colours - colours.mean((1, 2, 3), keepdim=True)
    plain = centred / (colours.std((1, 2, 3), keepdim=True) + 0.05)
    return torch.cat([(cells / (energy.sqrt() + 0.02)).flatten(1), COLOUR_WEIGHT * plain.flatten(1)], 1)


def standardise_windows(described: Flat, mean: Tensor, deviation: Tensor) -> Float[Tensor, "B E"]:
    """Standardise descriptions, and add the constant."""
    return F.pad((described - mean) / deviation, (0, 1), value=1.0)


def save_crop_scorer(path: Path, scorer: CropScorer) -> None:
    tensors = {"weights": scorer.weights, "mean": scorer.mean, "deviation": scorer.deviation}
    write_tensors(path, tensors, {"image_shape": json.dumps(scorer.image_shape)})


def load_crop_scorer(path: Path) -> CropScorer:
    with safe_open(path, "pt") as file:
        channels, height, width = json.loads(file.metadata()["image_shape"])
        parts = [file.get_tensor(name) for name in ("weights", "mean", "deviation")]
    return CropScorer((channels, height, width), *parts)

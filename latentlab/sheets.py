"""Contact sheets: what a latent model draws, rebuilds, interpolates, swaps and turns, on one picture."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image, ImageDraw
from torch import Tensor

from latentlab import chance
from latentlab.operators import decode, encode
from latentlab.types import DirectedModel, Images, LatentModel, Latents

SHEET_COLUMNS = 8
TILE_PIXELS = 64  # pixels of a picture on the sheet, at least
LABEL_MARGIN = 96  # left of the rows, for their names
SWAPPED_GROUPS = ("fine", "coarse")
DIRECTION_SIGMAS = 2.0  # how far along a direction, in σ
SheetRow = tuple[str, Images]


@torch.no_grad()
def draw_sheet(model: LatentModel, originals: Images | None = None) -> Float[Tensor, "C height width"]:
    """Draw rows of eight, one under the other; without originals it is the drawn images that are moved."""
    drawn = model.sample(SHEET_COLUMNS, chance.make_generator(0))
    rows = [
        ("drawn", decode(model, drawn)),
        ("drawn at 0.7", decode(model, drawn.map(lambda part: 0.7 * part))),
    ]
    codes = drawn
    if originals is not None:
        codes = encode(model, originals)
        rows += [("original", originals), ("rebuilt", decode(model, codes))]
    rows += [("first to last", decode(model, _interpolate_codes(codes)))]
    rows += _draw_swaps(model, codes)
    rows += _draw_directions(model, codes)
    return torch.cat([_assemble_strip(name, images.cpu()) for name, images in rows], 1)


def _interpolate_codes(codes: Latents) -> Latents:
    """Go from the first code to the last in equal steps."""
    start, end = codes.flat[:1], codes.flat[-1:]
    return codes.unflat(torch.lerp(start, end, torch.linspace(0, 1, SHEET_COLUMNS).to(start)[:, None]))


def _draw_swaps(model: LatentModel, codes: Latents) -> Iterator[SheetRow]:
    """Yield each image with some parts of the next one; a model with one part has nothing to swap."""
    if len(codes.parts) == 1:
        return
    partner = codes[torch.arange(len(codes)).roll(-1)]
    for group in SWAPPED_GROUPS:
        if names := codes.select_part_names([group]):
            yield f"next's {group}", decode(model, codes.swap(partner, names))


def _draw_directions(model: LatentModel, codes: Latents) -> Iterator[SheetRow]:
    """Yield the first image moved along a direction a column."""
    if not isinstance(model, DirectedModel) or not model.directions:
        return
    vectors = torch.stack(list(model.directions.values())[:SHEET_COLUMNS]).to(codes.flat)
    for amount in (-DIRECTION_SIGMAS, DIRECTION_SIGMAS):
        yield f"pc1, 2, … at {amount:+g}", decode(model, codes.unflat(codes.flat[:1] + amount * vectors))


def _assemble_strip(name: str, images: Images) -> Tensor:
    """Join the row's name and its pictures, small ones enlarged; short rows end in white."""
    scale = max(1, TILE_PIXELS // images.shape[3])
    large = images.repeat_interleave(scale, 2).repeat_interleave(scale, 3)
    blank = large.new_ones(SHEET_COLUMNS - len(large), *large.shape[1:])
    return torch.cat([_draw_label(name, large), *large, *blank], 2)


def _draw_label(name: str, like: Images) -> Float[Tensor, "C H margin"]:
    _, channels, height, _ = like.shape
    paper = Image.new("L", (LABEL_MARGIN, height), "white")
    ImageDraw.Draw(paper).text((4, height // 2), name, "black", anchor="lm")
    return torch.from_numpy(np.array(paper)).float().expand(channels, -1, -1) / 255

"""The pictures of a map as one small sheet."""

from __future__ import annotations

import math

import torch
from torch.nn.functional import interpolate

from latentlab.images import ImageTensor
from latentlab.session.map.plan import MapPlan
from latentlab.session.map.service import MapMaker

MAX_SPRITES = 2_000  # pictures on one sheet: beyond, points are dots
SPRITE_SIDE = 32  # px of the longer side


def draw_sprite_sheet(map_maker: MapMaker, plan: MapPlan) -> ImageTensor:
    """Draw the plan's pictures row by row on one nearly square sheet, in the order of their rows."""
    images, _ = map_maker.load_images(plan, plan.row_range)
    scale = SPRITE_SIDE / max(images.shape[2:])
    if scale < 1:
        images = interpolate(images, [max(1, round(side * scale)) for side in images.shape[2:]], mode="area")
    columns = math.ceil(math.sqrt(len(images)))
    blank = torch.zeros(-len(images) % columns, *images.shape[1:])
    grid = torch.cat([images, blank]).clamp(0, 1).unflatten(0, (-1, columns))
    return grid.permute(2, 0, 3, 1, 4).flatten(1, 2).flatten(2, 3)

"""Which part of a photo is used first: what looks most like the world's own pictures, where that can be told."""

from __future__ import annotations

import torch
from PIL import Image

from latentlab.crop_fitting import fit_crop_scorer
from latentlab.crop_scorer import CropScorer, load_crop_scorer, propose_crop
from latentlab.errors import UserError
from latentlab.images import find_centre_box
from latentlab.resources import find_assets_folder
from latentlab.session.state import Photo
from latentlab.session.workspace import Workspace
from latentlab.types import ImageShape

OWN_SCENES = 600  # with which the scorer of an own world is fitted, at its first photo


def frame_photo(workspace: Workspace, world: str, picture: Image.Image) -> Photo:
    """Put the frame around the part that looks most like the world's pictures; where nobody can tell, in the middle."""
    shape = workspace.store.find_image_shape(world)
    centre = find_centre_box(picture.size, shape)
    if picture.size == (shape[2], shape[1]):
        return Photo(picture, centre)
    scorer = find_crop_scorer(workspace, world, shape)
    if scorer is None:
        return Photo(picture, centre, "Cropped to its middle.")
    found = propose_crop(scorer, picture)
    title = workspace.store.find_title(world)
    if found.promise == found.centre_promise:
        return Photo(picture, centre, f"Cropped to its middle: no other part looks more like {title}.")
    return Photo(picture, found.box, f"Cropped to what looks most like {title}.")


def find_crop_scorer(workspace: Workspace, world: str, shape: ImageShape) -> CropScorer | None:
    """Return the scorer that is shipped for the world; that of an own world is fitted at its first photo."""
    key = ("crop scorer", world, workspace.store.stamp_world(world))
    return workspace.recall_result(key, lambda: _make_crop_scorer(workspace, world, shape))


def _make_crop_scorer(workspace: Workspace, world: str, shape: ImageShape) -> CropScorer | None:
    shipped = find_assets_folder() / "crops" / f"{world}.safetensors"
    if shipped.is_file():
        scorer = load_crop_scorer(shipped)
        return scorer if scorer.image_shape == tuple(shape) else None
    if workspace.store.stamp_world(world) is None:
        return None
    try:
        data = workspace.load_dataset(world)
    except UserError:
        return None
    with torch.no_grad():
        return fit_crop_scorer(data.train.images, OWN_SCENES)

"""Directions that one can see: what they are called, what they change most, and where they lead, as small pictures."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from latentlab.datasets import is_world_here
from latentlab.knobs import tool_from_json, tool_to_json
from latentlab.models.kinds import PIXELS_KIND
from latentlab.operators import Shift
from latentlab.operators.local_directions import list_local_directions, needs_images
from latentlab.session.actions import encode_input, move_latents
from latentlab.session.state import Session
from latentlab.session.workspace import Workspace
from latentlab.types import DirectedModel, Images, Latents

PREVIEW_PLACES = (-2.0, -1.0, 0.0, 1.0, 2.0)  # σ along the direction
PICTURES_AT_ONCE = 2  # pictures decoded in a turn at the processor
PROBED_EXAMPLES = 3  # pictures on which it is measured what a component changes
WORDS_OF_NAME = 2  # changes that a component is named after
LEAST_SLOPE = 0.25  # standard deviations that a change must reach for 1 σ of the component
LOOKS = {"luminance": ("lighter", "darker"), "warmth": ("warmer", "cooler"), "contrast": ("starker", "paler")}


@dataclass(frozen=True, eq=False)
class DirectionPreview:
    """Where a direction leads from the move as it stands: a picture for each place, all else kept."""

    direction: str
    here: float  # where the move stands along it
    images: Images
    about: str  # what it changes most, in words; empty where that is not asked


def list_session_directions(workspace: Workspace, session: Session) -> tuple[str, ...]:
    """List the directions that hold at this picture: of the world's images where they are here, else of samples."""
    classified = bool(session.classifier) and len(session.classes) > 1
    if is_world_here(session.world):
        return list_local_directions(drawn=False, classified=classified)
    known = list_local_directions(drawn=True, classified=classified)
    if workspace.store.card(session.model).kind == PIXELS_KIND:
        return tuple(name for name in known if name == "decision")  # pixels have no samples
    return known


def preview_directions(
    workspace: Workspace, session: Session, directions: Sequence[str]
) -> Iterator[DirectionPreview | None]:
    """Yield a preview of each direction around a move along directions, and None for a step on the way: a hand that
    slides has its turn between two of them.
    """
    if any(map(needs_images, directions)):
        for _ in workspace.store.encode_references(session.model):
            yield None
    here, places = session.result.tool.list_terms(), torch.tensor(PREVIEW_PLACES)
    for name in directions:
        at, step, form = _find_step(workspace, session, name)
        yield None
        codes = at + (places.to(at) - here.get(name, 0.0))[:, None] * step
        images = []
        for few in codes.split(PICTURES_AT_ONCE):
            images.append(workspace.decode_latents(session.model, form.unflat(few)))
            yield None
        yield DirectionPreview(
            name, here.get(name, 0.0), torch.cat(images), describe_component(workspace, session, name)
        )


def _find_step(
    workspace: Workspace, session: Session, direction: str
) -> tuple[Float[Tensor, " D"], Float[Tensor, " D"], Latents]:
    """Return the code of the move as it stands, how 1 σ along the direction changes it, and the parts of a code."""
    clean, knobs = encode_input(workspace, session), tool_to_json(session.result.tool)
    move = tool_from_json(Shift, {**knobs, "direction": direction, "amount": 1.0})
    step = move_latents(workspace, session, move)[0].flat[0] - clean.flat[0]
    return move_latents(workspace, session, session.result.tool)[0].flat[0], step, clean


def describe_component(workspace: Workspace, session: Session, direction: str) -> str:
    """Say what a principal component changes most, such as `lighter, less Smiling`; nothing of other directions."""
    model = workspace.store.load(session.model)
    if not (isinstance(model, DirectedModel) and re.fullmatch(r"pc\d+", direction) and direction in model.directions):
        return ""
    key = ("changes", workspace.store.digest(session.model), session.world, direction)
    slopes = workspace.recall_result(key, lambda: _measure_slopes(workspace, session, model, direction))
    largest = sorted(slopes, key=lambda word: -abs(slopes[word]))[:WORDS_OF_NAME]
    return ", ".join(_spell_change(word, slopes[word]) for word in largest if abs(slopes[word]) >= LEAST_SLOPE)


def _spell_change(word: str, slope: float) -> str:
    if word in LOOKS:
        return LOOKS[word][slope < 0]
    name = f"class {word}" if word.isdecimal() else word.replace("_", " ")
    return f"{'more' if slope > 0 else 'less'} {name}"


def _measure_slopes(workspace: Workspace, session: Session, model: DirectedModel, direction: str) -> dict[str, float]:
    """Return what 1 σ along the component changes, each in its own standard deviations: the labels that have a
    direction as the codes tell them, the looks as the decoded examples show them.
    """
    vector = model.directions[direction]
    labels = {name: other for name, other in model.directions.items() if not re.fullmatch(r"pc\d+", name)}
    slopes = {name: float(vector @ other / other.square().sum()) for name, other in labels.items()}
    examples = workspace.list_examples(session.world)
    usual = _measure_looks(torch.cat([example.image for example in examples]))
    codes = [workspace.encode_pictures(session.model, example.image) for example in examples[:PROBED_EXAMPLES]]
    z = torch.cat([code.flat for code in codes])
    step = vector.to(z)
    images = workspace.decode_latents(session.model, codes[0].unflat(torch.cat([z + step, z - step])))
    for look, values in _measure_looks(images).items():
        ahead, behind = values.split(len(codes))
        spread = float(usual[look].std().clamp_min(1e-3))
        slopes[look] = float((ahead - behind).mean()) / 2 / spread
    return slopes


def _measure_looks(images: Images) -> dict[str, Float[Tensor, " B"]]:
    grey = images.mean(1).flatten(1)
    return {
        "luminance": grey.mean(1),
        "warmth": (images[:, 0] - images[:, -1]).flatten(1).mean(1),
        "contrast": grey.std(1),
    }

"""What is the classifier sensitive to? How far its decision moves as images move one σ along a direction of a space.

The directions are those that the space has by name, principal components and attributes, and the main axis of each of
its parts, all as long as one standard deviation of codes along them. The change of a decision is half the total
variation between the probabilities one σ to either side: what a σ moves from some classes to others.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from latentlab.auditing.chunk import ask_network, round_column
from latentlab.auditing.codes import CodeCache
from latentlab.auditing.moves import AuditedMove
from latentlab.auditing.subject import AuditSubject
from latentlab.auditing.trial_chunks import choose_first_chunks
from latentlab.errors import UserError
from latentlab.images import png
from latentlab.operators import decode
from latentlab.training.named_directions import find_principal_directions
from latentlab.types import Batch, DirectedModel, Images, Latents

SHOWN_IMAGES = 2  # of each chunk and direction, those whose decision changes most
PRINCIPAL, ATTRIBUTE, PART = "principal", "attribute", "part"

DirectionEvent = Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class CodedChunk:
    """The first images of an audit with their codes in one space."""

    place: int
    rows: Sequence[int]
    batch: Batch
    latents: Latents


@dataclass(frozen=True, eq=False)
class SpaceDirection:
    """A direction one σ long: a component or an attribute by its name, or the main axis of a part."""

    name: str
    kind: str
    axis: Float[Tensor, " D"]


@torch.no_grad()
def measure_sensitivity(
    subject: AuditSubject, known: Sequence[DirectionEvent], codes: CodeCache
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield what each direction of each space does to the decision, chunk by chunk, but for what is known."""
    if not subject.config.directions:
        return
    done = {(event["space"], event["chunk"], event["direction"]) for event in known}
    for move in {move.space_name: move for move in subject.moves}.values():
        chunks = _encode_chunks(subject, move, codes)
        directions = list_space_directions(move.space, _join_latents(chunks))
        for chunk in chunks:
            for one in directions:
                if (move.space_name, chunk.place, one.name) not in done:
                    yield "direction", _measure_direction(subject, move, chunk, one)


def list_space_directions(space: object, latents: Latents) -> list[SpaceDirection]:
    """Return the directions of a space that has some by name, or several parts."""
    named = space.directions if isinstance(space, DirectedModel) else {}
    found = [
        SpaceDirection(name, PRINCIPAL if re.fullmatch(r"pc\d+", name) else ATTRIBUTE, axis)
        for name, axis in named.items()
    ]
    return found + find_part_axes(latents)


def find_part_axes(latents: Latents) -> list[SpaceDirection]:
    """Find the axis of each part along which these images differ most; none where there is but one part or image."""
    if len(latents.parts) < 2 or len(latents) < 2:
        return []
    axes = []
    for name in latents.parts:
        only = {other: part if other == name else torch.zeros_like(part) for other, part in latents.parts.items()}
        axis = find_principal_directions(replace(latents, parts=only).flat.cpu())["pc1"]
        axes.append(SpaceDirection(f"axis of {name}", PART, axis))
    return axes


def _encode_chunks(subject: AuditSubject, move: AuditedMove, codes: CodeCache) -> list[CodedChunk]:
    left, chunks = subject.config.directions, []
    for place, rows in enumerate(choose_first_chunks(subject, left)):
        batch = subject.take_batch(rows)
        latents = codes.encode_chunk(move, place, batch.images)
        few = slice(min(left, len(rows)))
        chunks.append(CodedChunk(place, rows[few].tolist(), Batch(batch.images[few], batch.targets[few]), latents[few]))
        left -= len(rows)
    return chunks


def _join_latents(chunks: Sequence[CodedChunk]) -> Latents:
    return chunks[0].latents.unflat(torch.cat([chunk.latents.flat for chunk in chunks]))


def _measure_direction(
    subject: AuditSubject, move: AuditedMove, chunk: CodedChunk, direction: SpaceDirection
) -> dict[str, Any]:
    flat = chunk.latents.flat
    axis = direction.axis.to(flat)
    less, more = (_decode_codes(move, chunk.latents.unflat(flat + sign * axis), direction) for sign in (-1, 1))
    before, after = (
        ask_network(subject.test_network, subject.classifier, images).softmax(1) for images in (less, more)
    )
    gained = after - before
    change = gained.abs().sum(1) / 4
    return {
        "space": move.space_name,
        "chunk": chunk.place,
        "direction": direction.name,
        "kind": direction.kind,
        "rows": list(chunk.rows),
        "label": chunk.batch.targets.argmax(1).tolist(),
        "change": round_column(change),
        "before": before.argmax(1).tolist(),
        "after": after.argmax(1).tolist(),
        "gains": gained.argmax(1).tolist(),
        "loses": gained.argmin(1).tolist(),
        "shown": [
            {"place": place, **{name: _encode_png(images[place]) for name, images in (("less", less), ("more", more))}}
            for place in change.topk(min(SHOWN_IMAGES, len(change))).indices.tolist()
        ],
    }


def _decode_codes(move: AuditedMove, latents: Latents, direction: SpaceDirection) -> Images:
    images = decode(move.space, latents)
    if not images.isfinite().all():
        raise UserError(
            f"{move.space_name} gives NaN or infinite pixels one σ along {direction.name}; set directions to 0, or "
            "choose another model."
        )
    return images


def _encode_png(image: Float[Tensor, "C H W"]) -> str:
    return base64.b64encode(png(image)).decode()

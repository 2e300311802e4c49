"""What an audit does with 100 images of cifar10 under one move of its Glow, step by step beside plain decoding."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from latentlab.auditing import Audit
from latentlab.auditing.chunk import measure_chunk, measure_move, move_chunk
from latentlab.auditing.subject import prepare_subject
from latentlab.operators import decode, encode
from latentlab.store import Store
from latentlab.training.augmented import Augmentation

IMAGES = 100
DECODE, ENCODE, MOVE, JUDGED, CHUNK = (
    "plain decode",
    "encode, once a space",
    "randomized-la of known codes",
    "the same, with all its figures",
    "a chunk of an audit of one move",
)


def list_steps() -> list[str]:
    return [DECODE, ENCODE, MOVE, JUDGED, CHUNK]


def audit_step(entrant: str) -> Callable[[], Any]:
    store = Store(Path(__file__).parents[2] / "checkpoints", "cpu")
    config = Audit(world="cifar10", moves=(Augmentation("randomized-la"),), images=IMAGES, batch=IMAGES)
    subject = prepare_subject(config, store)
    (move,), batch = subject.moves, subject.take_batch(subject.chunks[0])
    with torch.no_grad():
        latents = encode(move.space, batch.images)
        rebuilt = decode(move.space, latents)
    steps: dict[str, Callable[[], Any]] = {
        DECODE: lambda: decode(move.space, latents),
        ENCODE: lambda: encode(move.space, batch.images),
        MOVE: lambda: move_chunk(subject, move, batch, 0, latents),
        JUDGED: lambda: measure_move(subject, move, batch, latents, rebuilt, 0),
        CHUNK: lambda: measure_chunk(subject, 0),
    }
    return torch.no_grad()(steps[entrant])

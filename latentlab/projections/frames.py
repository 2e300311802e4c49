"""What the worker and its owner say to each other: a length, then safetensors with a line of JSON; never a pickle."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, BinaryIO

from safetensors.torch import load, save
from torch import Tensor

PipeMessage = tuple[dict[str, Any], dict[str, Tensor]]


def send_message(pipe: BinaryIO, word: Mapping[str, Any], tensors: Mapping[str, Tensor] | None = None) -> None:
    whole = {name: tensor.contiguous() for name, tensor in (tensors or {}).items()}
    body, head = save(whole), json.dumps(word).encode()
    pipe.write(len(head).to_bytes(8, "little") + len(body).to_bytes(8, "little") + head + body)
    pipe.flush()


def receive_message(pipe: BinaryIO) -> PipeMessage | None:
    """Return the next message; None where the other side has gone."""
    sizes = pipe.read(16)
    if len(sizes) < 16:
        return None
    head, body = (int.from_bytes(size, "little") for size in (sizes[:8], sizes[8:]))
    text, tensors = pipe.read(head), pipe.read(body)
    if len(text) < head or len(tensors) < body:
        return None
    return json.loads(text), load(tensors)

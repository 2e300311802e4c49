"""A function of tensors as one CUDA graph a shape: hundreds of small kernels are then started at one word."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Any

import torch
from torch import Tensor

REHEARSALS = 3  # plain calls of a shape before it is recorded: libraries choose their kernels meanwhile
MAX_RECORDINGS = 8  # shapes; a recording keeps the memory of all that passes through

TensorFunction = Callable[..., Tensor]


class GraphRecording:
    """One recording: its inputs are copied to where the first ones were."""

    def __init__(self, function: TensorFunction, inputs: tuple[Tensor, ...]) -> None:
        self._places = [x.clone() for x in inputs]
        self._graph = torch.cuda.CUDAGraph()
        with torch.no_grad(), torch.cuda.graph(self._graph, capture_error_mode="thread_local"):
            self._result = function(*self._places)

    def __call__(self, *inputs: Tensor) -> Tensor:
        for place, x in zip(self._places, inputs, strict=True):
            place.copy_(x)
        self._graph.replay()
        return self._result.clone()


class ReplayedFunction:
    """The same values with less said; on the CPU, and where a gradient is asked for, it is the function itself.

    The function may read nothing that changes but its inputs, and must not wait for the device.
    """

    def __init__(
        self, function: TensorFunction, device: str = "cuda", take: Callable[..., TensorFunction] = GraphRecording
    ) -> None:
        self._function, self._device, self._take = function, device, take
        self._seen: dict[Any, int] = {}
        self._takes: dict[Any, TensorFunction] = {}
        self._lock = Lock()

    def __call__(self, *inputs: Tensor) -> Tensor:
        if inputs[0].device.type != self._device or any(x.requires_grad for x in inputs):
            return self._function(*inputs)
        key = tuple((x.shape, x.stride(), x.dtype, x.device) for x in inputs)
        with self._lock:
            if key not in self._takes:
                self._seen[key] = self._seen.get(key, 0) + 1
                if self._seen[key] <= REHEARSALS or len(self._takes) == MAX_RECORDINGS:
                    return self._function(*inputs)
                self._takes[key] = self._take(self._function, inputs)
            return self._takes[key](*inputs)

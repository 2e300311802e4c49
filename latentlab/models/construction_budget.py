"""A network that is made from a card may be no larger than its file: what would be larger is refused before memory is
taken for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import prod
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

FACTORIES = (torch.empty, torch.zeros, torch.ones, torch.randn, torch.rand)
SLACK_FACTOR, SLACK_TENSORS, SLACK_NUMBERS = 4, 100, 10_000  # first values are drawn, and some are kept in no file


class ConstructionBudget(TorchFunctionMode):
    """Inside of it, this thread makes tensors about as many and as large as these shapes, else a ValueError."""

    def __init__(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        super().__init__()
        self.tensors = SLACK_FACTOR * len(shapes) + SLACK_TENSORS
        self.numbers = SLACK_FACTOR * sum(map(prod, shapes.values())) + SLACK_NUMBERS

    def __torch_function__(
        self, func: Callable[..., Any], types: Iterable[type], args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        if func in FACTORIES:
            first = args[0] if args else (kwargs or {}).get("size", ())
            self._take_numbers(prod(first if isinstance(first, list | tuple) else args))
        elif func is torch.eye:
            self._take_numbers(args[0] ** 2)
        return func(*args, **(kwargs or {}))

    def _take_numbers(self, numbers: int) -> None:
        self.tensors, self.numbers = self.tensors - 1, self.numbers - numbers
        if self.tensors < 0 or self.numbers < 0:
            raise ValueError("its card describes a larger network than the file holds")

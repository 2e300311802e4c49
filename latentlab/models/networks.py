"""This protocol says where networks come from, for those who may not know the store."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import torch

from latentlab.models.checkpoint import Card


@runtime_checkable
class NetworkSource(Protocol):
    """It gives networks by their names: in eval mode, frozen, on one device, one object for all."""

    device: torch.device

    def load(self, name: str) -> Any: ...

    def load_fast(self, name: str) -> Any:
        """Return the same, where some grey levels do not matter."""
        ...

    def card(self, name: str) -> Card: ...

    def digest(self, name: str) -> str: ...

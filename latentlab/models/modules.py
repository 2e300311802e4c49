"""This module tells the type checker what torch's modules do not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar, cast

import torch
from torch import nn

M = TypeVar("M", bound=nn.Module)


class TypedModuleList(nn.ModuleList, Generic[M]):
    """A ModuleList whose modules have a known type."""

    def __init__(self, modules: Iterable[M]) -> None:
        super().__init__(modules)

    def __iter__(self) -> Iterator[M]:
        return cast(Iterator[M], super().__iter__())

    def __reversed__(self) -> Iterator[M]:
        return reversed(list(self))


def use_channels_last(module: M) -> M:
    """Put the module in the layout in which convolutions are fast, whatever the precision."""
    return module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

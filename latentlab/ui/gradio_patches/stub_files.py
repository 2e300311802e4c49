"""Gradio writes a stub file for each component beside its source, whenever the component's class is made.

For this Gradio (4.0 to 6.31) parses the sources of all its components at every import, a third of the time that it
takes, and it writes into folders that are not its own. Here it leaves stubs alone: those of its own components come
with its package.
"""

from __future__ import annotations

import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import ModuleType
from typing import Any

STUB_WRITER = "gradio.component_meta"


class SilentLoader(SourceFileLoader):
    """The module is loaded as it is, and then writes nothing."""

    def exec_module(self, module: ModuleType) -> None:
        super().exec_module(module)
        silence_writer(module)


class SilentFinder(MetaPathFinder):
    """The module that writes stubs gets the silent loader; all others are left to Python."""

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> ModuleSpec | None:
        spec = PathFinder.find_spec(fullname, path) if fullname == STUB_WRITER else None
        if spec is not None and spec.origin is not None:
            spec.loader = SilentLoader(fullname, spec.origin)
        return spec


def silence_writer(module: ModuleType) -> None:
    vars(module)["create_or_modify_pyi"] = lambda *_: None


def write_no_stubs() -> None:
    """Keep Gradio from writing stubs; call before Gradio is imported, or else it has written its own."""
    if loaded := sys.modules.get(STUB_WRITER):
        silence_writer(loaded)
    elif not any(isinstance(finder, SilentFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, SilentFinder())

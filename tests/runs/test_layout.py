"""The names of a run's files stand in one module."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from latentlab.runs import layout

PACKAGE_FOLDER = Path(layout.__file__).parents[1]
NAMESAKES = {("hub_folder.py", "config.json")}  # Hugging Face's file, of its own folders
FILE_NAMES = {value for name, value in vars(layout).items() if name.endswith("_FILE")}


def list_joined_names(tree: ast.AST) -> Iterator[str]:
    """Yield what stands as a string behind the slash of a path."""
    for node in ast.walk(tree):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div) and isinstance(node.right, ast.Constant):
            yield str(node.right.value)


def list_file_names(tree: ast.AST) -> Iterator[str]:
    """Yield the strings that look like a file: those with a suffix, whatever they stand for."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and "." in node.value:
            yield node.value


def test_no_other_module_names_a_file_of_a_run() -> None:
    assert {"config.json", "stop", "run.safetensors"} < FILE_NAMES
    for path in PACKAGE_FOLDER.rglob("*.py"):
        if path != Path(layout.__file__):
            tree = ast.parse(path.read_text("utf-8"))
            found = FILE_NAMES.intersection([*list_joined_names(tree), *list_file_names(tree)])
            named = {name for name in found if (path.name, name) not in NAMESAKES}
            assert not named, f"{path} names {', '.join(sorted(named))}; take the name from runs/layout.py"

"""The documents name files and functions that exist."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
CHECKED = [page for page in PAGES if page.name in ("CONTRIBUTING.md", "architecture.md", "adding.md", "glossary.md")]
MENTION = re.compile(r"`((?:latentlab|tests|assets|benchmarks)/[\w./]+)(?:: (\w+))?`")
LINK = re.compile(r"\]\(([^)#:]+)\)")


def list_definitions(path: Path) -> set[str]:
    tree = ast.walk(ast.parse(path.read_text("utf-8")))
    return {node.name for node in tree if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)}


@pytest.mark.parametrize("page", CHECKED, ids=lambda page: page.name)
def test_files_and_names_that_a_page_speaks_of_are_there(page: Path) -> None:
    mentions = [found for found in MENTION.findall(page.read_text("utf-8")) if "NAME" not in found[0]]
    assert mentions
    missing = [path for path, _ in mentions if not (ROOT / path).exists()]
    assert not missing
    assert not [(path, name) for path, name in mentions if name and name not in list_definitions(ROOT / path)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    assert not [link for link in LINK.findall(page.read_text("utf-8")) if not (page.parent / link).exists()]


def test_the_layers_that_are_drawn_are_those_that_are_held() -> None:
    contract = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"][0]
    held = [sorted(re.findall(r"\w+", layer)) for layer in contract["layers"]]
    block = (ROOT / "docs" / "architecture.md").read_text("utf-8").partition("## Layers")[2].split("```")[1]
    drawn = [sorted(re.findall(r"\w+", line.partition("  ")[0])) for line in block.strip().splitlines()[1:]]
    assert drawn == held

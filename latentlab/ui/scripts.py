"""This module reads the scripts and style sheets of the page; each lies beside the part that it serves."""

from __future__ import annotations

from pathlib import Path

from latentlab.resources import find_assets_folder

UI_FOLDER = Path(__file__).parent


def load_script(*names: str) -> str:
    """Return scripts, named by their path under `latentlab/ui`, as one."""
    return "\n".join((UI_FOLDER / name).read_text("utf-8") for name in names)


def load_style_sheets() -> str:
    """Return the theme's sheet and then those of the page's parts."""
    sheets = [find_assets_folder() / "page.css", *sorted(UI_FOLDER.rglob("*.css"))]
    return "\n".join(sheet.read_text("utf-8") for sheet in sheets)

"""The colours of the page, pair by pair: letters on grounds at least 4.5 : 1, marks at least 3 : 1 (WCAG 2.1 AA)."""

from __future__ import annotations

import re

import pytest
from repository import ROOT

SHEET = ROOT / "assets" / "page.css"
LETTERS = [
    ("ink", "ground"),
    ("ink", "sunk"),
    ("ink", "soft"),
    ("quiet", "ground"),
    ("quiet", "sunk"),
    ("quiet", "soft"),
    ("warn", "warn-ground"),
    ("warn", "ground"),
    ("ground", "ink"),
]
MARKS = [("accent", "ground"), ("accent", "sunk"), ("accent", "soft")]


def colours(theme: str) -> dict[str, str]:
    block = re.search(rf"^{theme}[^{{]*\{{(.*?)\}}", SHEET.read_text(), re.MULTILINE | re.DOTALL)
    assert block is not None
    return dict(re.findall(r"--ll-([\w-]+):\s*(#[0-9a-f]{6})", block[1]))


def luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(a: str, b: str) -> float:
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


def test_the_measure_itself() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("theme", [":root", r"\.dark"])
@pytest.mark.parametrize(("front", "back", "least"), [(*p, 4.5) for p in LETTERS] + [(*p, 3.0) for p in MARKS])
def test_every_pair_can_be_read(theme: str, front: str, back: str, least: float) -> None:
    palette = colours(theme)
    assert contrast(palette[front], palette[back]) >= least

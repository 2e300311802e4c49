"""The table of docs/hardening.md names tests that are there."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parent
ROWS = [
    line
    for line in (TESTS.parent / "docs" / "hardening.md").read_text("utf-8").splitlines()
    if re.match(r"\| \d+ \|", line)
]


def test_each_promise_names_tests_that_are_there_or_says_why_not() -> None:
    assert [int(row.split("|")[1]) for row in ROWS] == list(range(1, 33))
    for row in ROWS:
        files = [name for name in re.findall(r"`([\w/]+\.py)`", row) if not name.startswith("tools/")]
        whole = "".join((TESTS / name).read_text("utf-8") for name in files)
        assert all(f"def {name}(" in whole for name in re.findall(r"`(test_\w+)`", row)), row
        assert files or "make " in row, row

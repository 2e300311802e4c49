"""Events are read while they are written, and only whole lines count."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from latentlab.runs import files


def test_events_are_read_from_where_one_was_and_a_half_line_waits(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    assert files.read_events(path) == files.EventTail((), "", False)
    path.write_text('{"step": 1}\n{"ste')
    first = files.read_events(path)
    assert ([event["step"] for event in first.events], first.anew) == ([1], True)
    with path.open("a") as file:
        file.write('p": 2}\nno json\n[3]\n{"step": 4}\n')
    second = files.read_events(path, first.cursor)
    assert ([event["step"] for event in second.events], second.anew) == ([2, 4], False)
    assert files.read_events(path, second.cursor) == files.EventTail((), second.cursor, False)
    files.write_atomically(path, '{"step": 1}\n')
    again = files.read_events(path, second.cursor)
    assert ([event["step"] for event in again.events], again.anew) == ([1], True)
    for junk in ("", "x", "1-2", "-1--1", "9" * 50, "1-" + "9" * 50, "²-²"):
        assert files.read_events(path, junk).anew


@pytest.mark.parametrize("long", [10, 5000, 300_000])
def test_the_last_event_is_the_last_whole_line(tmp_path: Path, long: int) -> None:
    path = tmp_path / "events.jsonl"
    assert files.read_last_event(path) == {}
    path.write_text('{"step": 1}\n' * 5 + json.dumps({"step": 2, "more": "x" * long}) + '\n{"st')
    assert files.read_last_event(path)["step"] == 2


def test_events_that_are_gone_on_with_have_no_end_and_no_half_line(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text('{"event": "step"}\n{"event": "end"}\n{"ev')
    files.reopen_events(path)
    assert path.read_text() == '{"event": "step"}\n'

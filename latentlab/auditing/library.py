"""The audit as a call: `ll.audit(store, ["randomized-la", "mixup"], data="cifar10")`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from latentlab.auditing.config import Audit
from latentlab.auditing.image_source import load_audited_world, open_images
from latentlab.auditing.move_words import parse_move
from latentlab.auditing.report_files import write_report_files
from latentlab.auditing.result import AuditResult, read_result
from latentlab.auditing.stream import audit_moves
from latentlab.knobs import tool_from_json, tool_to_json
from latentlab.recipe import Recipe
from latentlab.runs.writer import RunDirectory
from latentlab.store import Store
from latentlab.training.augmented import Augmentation, RunEvent

NamedMove = str | Augmentation | Recipe


def audit(
    store: Store,
    moves: Sequence[NamedMove],
    data: str = "digits",
    pictures: str | Path | None = None,
    out: str | Path | None = None,
    **knobs: Any,
) -> AuditResult:
    """Return what moves do to many images: a method's name, `noise@pixels:epsilon=3`, a recipe or the file of one.

    `out` is a folder for the report; an audit that was broken off there goes on. `pictures` is a folder of one's own
    images of this world's classes. The other keywords are the knobs of `latentlab audit`: `classifier`, `judge`,
    `images`, `keep`, `seed`, …
    """
    named = [_read_move(move, data) for move in moves]
    config = tool_from_json(Audit, {"world": data, "moves": named, **knobs})
    folder = None if pictures is None else Path(pictures)
    if out is None:
        return read_result(list(audit_moves(config, store, folder=folder)))
    directory = RunDirectory.open_at(Path(out))
    directory.write_config("audit", json.loads(json.dumps(tool_to_json(config))))
    if not directory.is_finished:
        _record_events(directory, audit_moves(config, store, directory.read_events(), folder=folder))
    result = read_result(directory.read_events())
    world = load_audited_world(config.world, result.classes)
    write_report_files(directory.path, result, open_images(config.half, world, folder))
    return result


def _record_events(directory: RunDirectory, events: Iterator[RunEvent]) -> None:
    for event in events:
        if event["event"] == "begin":
            directory.take_back_events(event["step"])
        (directory.write_end if event["event"] == "end" else directory.write_event)(event)


def _read_move(move: NamedMove, world: str) -> Augmentation:
    if isinstance(move, Recipe):
        return Augmentation(move.operator, dict(move.settings), move.model)
    return parse_move(move, world) if isinstance(move, str) else move

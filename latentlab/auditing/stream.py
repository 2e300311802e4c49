"""An audit as a stream of events, chunk after chunk: who keeps them goes on after a kill, to the same bytes."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch.distributed as dist

from latentlab.auditing.choices import search_choices
from latentlab.auditing.chunk import measure_chunk
from latentlab.auditing.codes import CodeCache
from latentlab.auditing.config import Audit
from latentlab.auditing.cost import measure_cost
from latentlab.auditing.reach import search_limits
from latentlab.auditing.sensitivity import measure_sensitivity
from latentlab.auditing.subject import AuditSubject, prepare_subject
from latentlab.errors import UserError
from latentlab.knobs import tool_to_json
from latentlab.store import Store
from latentlab.training.augmented import RunEvent
from latentlab.training.distributed import SINGLE_PROCESS, ProcessPlace

MEASURED = ("cost", "chunk", "trial", "choice", "direction")  # events that nobody measures twice
DONE_CAUSE = "Everything was audited."


@dataclass
class AuditStory:
    """The events so far, by what they say: nothing of it is measured twice."""

    events: list[Mapping[str, Any]] = field(default_factory=list)

    @property
    def cost(self) -> dict[str, Any] | None:
        return next((event["cost"] for event in self.events if event["event"] == "cost"), None)

    @property
    def records(self) -> dict[int, Mapping[str, Any]]:
        return {event["chunk"]: event["record"] for event in self.events if event["event"] == "chunk"}

    @property
    def trials(self) -> list[Mapping[str, Any]]:
        return [event for event in self.events if event["event"] == "trial"]

    @property
    def choices(self) -> list[Mapping[str, Any]]:
        return [event for event in self.events if event["event"] == "choice"]

    @property
    def directions(self) -> list[Mapping[str, Any]]:
        return [event for event in self.events if event["event"] == "direction"]

    @property
    def step(self) -> int:
        return max((event["step"] for event in self.events), default=0)


def audit_moves(
    config: Audit,
    networks: Store,
    done: Sequence[RunEvent] = (),
    asked: Callable[[], str] = lambda: "",
    folder: Path | None = None,
    place: ProcessPlace = SINGLE_PROCESS,
) -> Iterator[RunEvent]:
    """Yield what is measured: cost, chunks, trials of limits, directions; the events in `done` were told before.

    Under torchrun each process measures every so many-th chunk, and each yields the events of all.
    """
    subject = prepare_subject(config, networks, folder)
    _require_same_subject(subject, done)
    story = AuditStory([_drop_record(event) for event in done if event["event"] in MEASURED])
    start, left = time.monotonic(), len(subject.chunks) - len(story.records)

    def tell(name: str, **values: Any) -> RunEvent:
        event = {"event": name, "step": story.step, "seconds": round(time.monotonic() - start, 3), **values}
        if name in MEASURED:
            event["step"] += 1
            story.events.append(_drop_record(event))
        return event

    yield tell("begin", **describe_subject(subject))
    if story.cost is None:
        yield tell("cost", cost=measure_cost(subject))
    codes = CodeCache()
    works = [
        _list_chunks(subject, story, place),
        search_limits(subject, story.trials, codes),
        search_choices(subject, story.choices, codes),
        measure_sensitivity(subject, story.directions, codes),
    ]
    for work in works:
        for name, values in work:
            if said := asked():
                if said != "interrupt":
                    yield tell("end", state="stopped", cause="Stopped on request.")
                return
            if name == "chunk":
                share = _estimate_progress(len(subject.chunks), len(story.records) + 1, left, time.monotonic() - start)
                values |= share
            yield tell(name, **values)
    yield tell("end", state="finished", cause=DONE_CAUSE)


def _drop_record(event: RunEvent) -> RunEvent:
    """Return the event without what was measured of each image, so that memory does not grow with the images."""
    return {**event, "record": {}} if event["event"] == "chunk" else event


def _require_same_subject(subject: AuditSubject, done: Sequence[RunEvent]) -> None:
    """Refuse to go on where the data or a network is another one than at the beginning."""
    before = next((event for event in done if event["event"] == "begin"), None)
    now = describe_subject(subject)
    if before is not None and any(before.get(key) != value for key, value in now.items()):
        raise UserError("The images or a network have changed since this audit began; begin another.")


def describe_subject(subject: AuditSubject) -> dict[str, Any]:
    """Return what a report must know of the audit, apart from what was measured."""
    return {
        "config": tool_to_json(subject.config),
        "classes": list(subject.world.classes),
        "images": len(subject.rows),
        "training images": len(subject.world.train),
        "chunks": len(subject.chunks),
        "classifier": subject.classifier,
        "judge": subject.judge,
        "digests": subject.digests,
        "notes": list(subject.notes),
        "fingerprint": digest_rows(subject),
        "labelled": subject.source.labels is not None,
        "moves": [
            {
                "title": move.title,
                "method": move.method,
                "space": move.space_name,
                "recipe": move.recipe.to_json(),
            }
            for move in subject.moves
        ],
    }


def digest_rows(subject: AuditSubject) -> str:
    """Return 16 hex digits of which images are audited, and of the first of them."""
    whole = hashlib.sha256(subject.rows.numpy().tobytes())
    whole.update("\n".join(map(subject.source.name_image, subject.rows.tolist())).encode())
    first = subject.source.take_images(subject.rows[:1].tolist())
    whole.update((first * 255).round().byte().numpy().tobytes())
    return whole.hexdigest()[:16]


def _estimate_progress(chunks: int, finished: int, left: int, seconds: float) -> dict[str, float]:
    own = finished - (chunks - left)
    return {"done": round(finished / chunks, 4), "eta": round(seconds / max(own, 1) * (chunks - finished), 1)}


def _list_chunks(subject: AuditSubject, story: AuditStory, place: ProcessPlace) -> Iterator[tuple[str, dict[str, Any]]]:
    """Measure the chunks that are missing, one a process at a time."""
    rank, processes = place
    missing = [number for number in range(len(subject.chunks)) if number not in story.records]
    for first in range(0, len(missing), processes):
        dealt = missing[first : first + processes]
        own = measure_chunk(subject, dealt[rank]) if rank < len(dealt) else None
        for number, record in zip(dealt, _gather_records(own, processes), strict=False):
            yield "chunk", {"chunk": number, "record": record}


def _gather_records(own: Any, processes: int) -> list[Any]:
    if processes == 1:
        return [own]
    gathered: list[Any] = [None] * processes
    dist.all_gather_object(gathered, own)
    return gathered

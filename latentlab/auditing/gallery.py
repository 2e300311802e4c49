"""The pictures that tell what goes wrong: those that were kept while measuring, by kind, the farthest moved first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from latentlab.auditing.reach import find_flip_values
from latentlab.auditing.result import AuditResult, MoveResult

MOST_SHOWN = 24  # pictures of a kind


@dataclass(frozen=True)
class ShownImage:
    """A moved picture as PNG in base64, the row of its original, and a line that says what is wrong."""

    row: int
    picture: str
    words: str


def list_galleries(result: AuditResult, move: MoveResult) -> Iterator[tuple[str, list[ShownImage]]]:
    """Yield each kind of trouble with its pictures."""
    columns, clean = result.columns.moves[move.title], result.columns.clean
    pictures, lost = result.columns.pictures[move.title], set(move.summary.broken)
    distances = columns["distance"].tolist()
    far = result.clean.farthest
    kinds = {
        "The judge sees the label no more": [place for place in pictures if place in lost],
        "Judge and classifier disagree": [
            place
            for place in pictures
            if place not in lost and int(columns["judged"][place]) != int(columns["guess"][place])
        ],
        "Far from every real image": [
            place for place in pictures if far is not None and float(columns["nearest"][place]) > far
        ],
    }
    for title, places in kinds.items():
        chosen = sorted(places, key=lambda place: -distances[place])[:MOST_SHOWN]
        if chosen:
            yield (
                title,
                [
                    ShownImage(
                        int(clean["row"][place]), pictures[place], _describe_change(result.classes, move, result, place)
                    )
                    for place in chosen
                ],
            )


def list_first_flips(result: AuditResult, move: MoveResult) -> list[tuple[int, float]]:
    """Return the rows of the images that lose their label first, and at which value."""
    if move.axis is None:
        return []
    flips = [(row, value) for row, value in find_flip_values(move.trials) if value is not None]
    return flips[:MOST_SHOWN]


def _describe_change(classes: Sequence[str], move: MoveResult, result: AuditResult, place: int) -> str:
    columns = result.columns.moves[move.title]
    label, seen, guess = (classes[int(columns[name][place])] for name in ("target", "judged", "guess"))
    told = f"{label}: judge {seen}, classifier {guess}" if seen != guess else f"{label}: seen as {seen}"
    return f"{told}, l2 {float(columns['distance'][place]):.1f}"

"""A result as JSON and CSV, and what a pipeline requires of it."""

from __future__ import annotations

import csv
import io
import json
import operator
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from latentlab.auditing.choices import ChoiceResult
from latentlab.auditing.reach import Trial, estimate_kept
from latentlab.auditing.result import AuditResult, MoveResult
from latentlab.auditing.summary import describe_estimate, describe_figures
from latentlab.auditing.verdict import write_verdict
from latentlab.errors import UserError

CONDITION_PATTERN = re.compile(r"([A-Za-z][A-Za-z/ -]*?)\s*(>=|<=|>|<)\s*(-?\d+(?:\.\d+)?)")
COMPARISONS = {">=": operator.ge, ">": operator.gt, "<=": operator.le, "<": operator.lt}
ENDS = {">=": "low", ">": "low", "<=": "high", "<": "high"}  # the end of the interval that must hold, too


def write_json(result: AuditResult) -> str:
    """Write everything but what is known of each image; the seconds under `cost` alone differ from run to run."""
    begin = {key: value for key, value in result.begin.items() if key not in ("event", "step", "seconds", "moves")}
    told = {
        **begin,
        "images measured": result.image_count,
        "complete": result.complete,
        "clean": describe_figures(result.clean.figures),
        "usual bits/dim": result.clean.usual_bits,
        "farthest usual": result.clean.farthest,
        "moves": [_describe_move(result, move) for move in result.moves],
        "directions": {space: _describe_ranking(result, space) for space in result.rankings},
        "cost": {**result.cost, "plain steps a batch": {move.title: round(move.steps, 4) for move in result.moves}},
    }
    return json.dumps(told, indent=1, ensure_ascii=False)


def _describe_move(result: AuditResult, move: MoveResult) -> dict[str, Any]:
    summary = move.summary
    return {
        "title": move.title,
        "recipe": json.loads(move.recipe.to_json()),
        "figures": describe_figures(summary.figures),
        "distance quartiles": [round(value, 6) for value in summary.quartiles],
        "confusion": summary.confusion.tolist(),
        "broken": [int(result.columns.clean["row"][place]) for place in summary.broken],
        "limit": None if move.limit is None or move.axis is None else asdict(move.limit) | asdict(move.axis),
        "choices": [_describe_choice(found) for found in move.choices],
        "trials": [_describe_trial(trial) for trial in move.trials],
        "verdict": write_verdict(result, move)[:-1],  # without the seconds
    }


def _describe_choice(found: ChoiceResult) -> dict[str, Any]:
    tried = [
        {"value": trial.value, "distance": trial.distance, "kept": describe_estimate(trial.kept)}
        for trial in found.trials
    ]
    return {"knob": found.knob, "limit": found.limit, "trials": tried}


def _describe_trial(trial: Trial) -> dict[str, Any]:
    kept = describe_estimate(estimate_kept(trial)) if trial["kept"] else None
    return {"value": trial["value"], "distance": trial["distance"], "kept": kept}


def _describe_ranking(result: AuditResult, space: str) -> list[dict[str, Any]]:
    return [
        {
            "direction": one.name,
            "kind": one.kind,
            "change": describe_estimate(one.change),
            "crossed": describe_estimate(one.crossed),
            "gains most": {"class": one.toward[0], **describe_estimate(one.toward[1])},
            "loses most": {"class": one.away[0], **describe_estimate(one.away[1])},
            "change by class": {
                name: None if found is None else describe_estimate(found)
                for name, found in zip(result.classes, one.by_class, strict=True)
            },
        }
        for one in result.rankings[space]
    ]


def write_directions_csv(result: AuditResult) -> str:
    """Write a line a space and direction, the one along which the decision changes most first."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    ends = ["", " low", " high"]
    figures = [f"{name}{end}" for name in ("change", "crossed") for end in ends]
    table.writerow(["space", "direction", "kind", *figures, *(f"change of {name}" for name in result.classes)])
    for space, ranking in result.rankings.items():
        for one in ranking:
            values = [round(getattr(f, e), 6) for f in (one.change, one.crossed) for e in ("value", "low", "high")]
            of_classes = ["" if found is None else round(found.value, 6) for found in one.by_class]
            table.writerow([space, one.name, one.kind, *values, *of_classes])
    return text.getvalue()


def write_csv(result: AuditResult) -> str:
    """Write a line an image and move."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    names = list(next(iter(result.columns.moves.values())))
    clean = [name for name in result.columns.clean if name != "row"]
    table.writerow(["move", "row", *(f"{name} before" for name in clean), *names])
    for move in result.moves:
        columns = [result.columns.clean["row"], *(result.columns.clean[name] for name in clean)]
        columns += [result.columns.moves[move.title][name] for name in names]
        table.writerows([move.title, *values] for values in zip(*(c.tolist() for c in columns), strict=True))
    return text.getvalue()


@dataclass(frozen=True)
class Requirement:
    """A condition on a figure of every move: it holds where the end of the interval does."""

    figure: str
    sign: str
    bound: float

    def is_met(self, move: MoveResult) -> bool:
        found = move.summary.figures.get(self.figure)
        return found is not None and COMPARISONS[self.sign](getattr(found, ENDS[self.sign]), self.bound)

    def __str__(self) -> str:
        return f"{self.figure}{self.sign}{self.bound:g}"


def parse_requirement(text: str) -> Requirement:
    """Parse `kept>=0.95`."""
    found = CONDITION_PATTERN.fullmatch(text.strip())
    if not found:
        raise UserError(f"{text[:40]!r} is no condition; write a figure, a sign and a number: kept>=0.95.")
    return Requirement(found[1], found[2], float(found[3]))


def list_unmet(result: AuditResult, required: Sequence[Requirement]) -> Iterator[str]:
    """Yield a line for each move and requirement that does not hold."""
    for requirement in required:
        known = {name for move in result.moves for name in move.summary.figures}
        if requirement.figure not in known:
            raise UserError(f"There is no figure {requirement.figure!r}; there are {', '.join(sorted(known))}.")
        for move in result.moves:
            if not requirement.is_met(move):
                yield f"{move.title}: {requirement} does not hold: {_tell_figure(move, requirement.figure)}."


def _tell_figure(move: MoveResult, name: str) -> str:
    found = move.summary.figures.get(name)
    return "it was not measured" if found is None else f"{found.value:.3f} ({found.low:.3f} to {found.high:.3f})"

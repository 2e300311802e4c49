"""What an experiment found: means with Student's intervals over seeds, and of each claim whether it is borne out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from latentlab import metrics
from latentlab.experiments.experiment import ArmSettings, Claim, Experiment, Figure, Scores
from latentlab.metrics import Estimate

FIGURE_WIDTH = 16  # letters of a column, at least
SUPPORTED, NOT_SUPPORTED, UNTOLD = "supported", "not supported", "could not be told"


@dataclass(frozen=True, eq=False)
class Finding:
    """A claim, how much better its arm is on the same seeds, and what that says."""

    claim: Claim
    gain: Estimate  # of the arm over the other; above 0 is better, whichever way the figure runs
    verdict: str


def judge_claims(experiment: Experiment, found: Mapping[str, Scores]) -> list[Finding]:
    """Judge the claims whose arms were measured."""
    claims = [claim for claim in experiment.claims if {claim.arm, claim.other} <= set(found)]
    return [_judge_claim(claim, experiment.figures[claim.figure], found) for claim in claims]


def _judge_claim(claim: Claim, figure: Figure, found: Mapping[str, Scores]) -> Finding:
    ours, theirs = (torch.tensor(found[arm][claim.figure]).double() for arm in (claim.arm, claim.other))
    gain = metrics.estimate_mean(ours - theirs if figure.higher_is_better else theirs - ours)
    return Finding(claim, gain, _name_verdict(gain, len(ours)))


def _name_verdict(gain: Estimate, seeds: int) -> str:
    """Name what the interval carries; one seed carries nothing, nor do seeds that never differ."""
    if seeds < 2 or gain.low <= 0 <= gain.high:
        return UNTOLD
    return SUPPORTED if gain.low > 0 else NOT_SUPPORTED


def judge_paper(findings: list[Finding]) -> str:
    """Say of the paper's own claims what holds: all of them, none that could be told, or one that is contradicted."""
    verdicts = {finding.verdict for finding in findings if finding.claim.is_published}
    if NOT_SUPPORTED in verdicts:
        return NOT_SUPPORTED
    return SUPPORTED if verdicts == {SUPPORTED} else UNTOLD


def write_sentence(experiment: Experiment, findings: list[Finding]) -> str:
    """Say in one sentence what was found, what was contradicted and what could not be told."""
    parts = []
    for verdict in (SUPPORTED, NOT_SUPPORTED, UNTOLD):
        told = [_describe_gain(finding, experiment) for finding in findings if finding.verdict == verdict]
        if told:
            parts.append(f"{verdict}: {', '.join(told)}")
    return f"{experiment.paper}, {experiment.title}: {judge_paper(findings)} here ({'; '.join(parts)})."


def _describe_gain(finding: Finding, experiment: Experiment) -> str:
    figure = experiment.figures[finding.claim.figure]
    return f"{finding.claim.text} ({_format_gain(finding.gain, figure)})"


def _format_gain(gain: Estimate, figure: Figure) -> str:
    unit = " points" if figure.is_share else ""
    low, high = (format_value(end, figure, "+") for end in (gain.low, gain.high))
    interval = f"{low} to {high}" if gain.low < gain.high else "no interval"
    return f"{format_value(gain.value, figure, '+')}{unit} better, {interval}"


def format_value(value: float, figure: Figure, sign: str = "") -> str:
    """Write a share in per cent with one decimal, anything else with three digits."""
    return (f"{100 * value:{sign}.1f}" if figure.is_share else f"{value:{sign}.3g}").replace("-", "−")


def build_rows(
    experiment: Experiment, arms: Mapping[str, ArmSettings], found: Mapping[str, Scores]
) -> list[dict[str, Any]]:
    """Build a row an arm: its settings, and each figure's mean over seeds with its interval."""
    rows = []
    for arm, scores in found.items():
        row: dict[str, Any] = {"arm": arm, "seeds": len(next(iter(scores.values()))), **arms.get(arm, {})}
        row["figures"] = {name: _average_seeds(scores[name]) for name in experiment.figures if name in scores}
        rows.append(row)
    return rows


def _average_seeds(values: list[float]) -> dict[str, float]:
    found = metrics.estimate_mean(torch.tensor(values).double())
    return {end: round(getattr(found, end), 6) for end in ("value", "low", "high")}


def describe_finding(finding: Finding) -> dict[str, Any]:
    """Return a finding ready for JSON."""
    claim = finding.claim
    ends = {end: round(getattr(finding.gain, end), 6) for end in ("value", "low", "high")}
    return {
        "claim": claim.text,
        "arm": claim.arm,
        "other": claim.other,
        "figure": claim.figure,
        "published": claim.is_published,
        "gain": ends,
        "verdict": finding.verdict,
    }


def format_rows(experiment: Experiment, rows: list[dict[str, Any]]) -> str:
    """Format the table for a terminal."""
    names = [name for name, figure in experiment.figures.items() if figure.is_plotted]
    width = max(len(row["arm"]) for row in rows) + 2
    shows_travel = any("moved" in row for row in rows)
    head = f"{'arm':{width}}" + (f"{'moved':>7}{'kept':>7}" if shows_travel else "")
    titles = [f"  {experiment.figures[name].title:>{FIGURE_WIDTH}}" for name in names]
    lines = [head + "".join(titles)]
    for row in rows:
        travel = f"{row['moved']:7.2f}{_format_kept(row['kept']):>7}" if shows_travel else ""
        cells = (_format_estimate(row["figures"].get(name), experiment.figures[name]) for name in names)
        pairs = zip(cells, titles, strict=True)
        lines.append(f"{row['arm']:{width}}{travel}" + "".join(f"{cell:>{len(title)}}" for cell, title in pairs))
    return "\n".join(line.rstrip() for line in lines)


def _format_kept(kept: float | None) -> str:
    return "–" if kept is None else f"{100 * kept:.0f} %"


def _format_estimate(found: Mapping[str, float] | None, figure: Figure) -> str:
    """Format a figure and half its interval; a single seed has no interval."""
    if found is None:
        return "–"
    half = (found["high"] - found["low"]) / 2
    margin = f" ± {format_value(half, figure)}" if half else ""
    return f"{format_value(found['value'], figure)}{margin}{' %' if figure.is_share else ''}"

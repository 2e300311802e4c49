"""The figures of an audit, each with its interval, from the columns alone: who has the records has the figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from latentlab.auditing.columns import AuditColumns, ColumnTensors
from latentlab.metrics import Estimate, estimate_calibration_error, estimate_mean, estimate_share

USUAL_RANGE = (0.025, 0.975)  # quantiles of what the images themselves have: 5 % of them lie outside
FARTHEST_USUAL = 0.95  # quantile of the distance to the nearest real image: 5 % of the images are farther
SHARE_OUTSIDE = 0.05  # of the images themselves, by these two

Figures = dict[str, Estimate]


@dataclass(frozen=True, eq=False)
class MoveSummary:
    """Figures by name; `quartiles` of the l2 distance; `confusion` counts labels (rows) and what the judge sees."""

    figures: Figures
    quartiles: tuple[float, float, float]
    confusion: Tensor
    broken: tuple[int, ...]  # places of the images whose label the judge sees no more, the farthest moved first
    label_judged: bool  # whether the label is mixed


@dataclass(frozen=True, eq=False)
class CleanSummary:
    figures: Figures
    usual_bits: tuple[float, float] | None
    farthest: float | None


def summarise_clean(columns: AuditColumns) -> CleanSummary:
    """Return what holds of the images before any move."""
    clean = columns.clean
    figures = {
        "accuracy of the classifier": _share(clean["guess"] == clean["label"]),
        "accuracy of the judge": _share(clean["judged"] == clean["label"]),
        "calibration error": _calibrate(clean["confidence"], clean["guess"] == clean["label"]),
        "disagreement": estimate_mean(clean["disagreement"]),
    }
    bits = _keep_finite(clean.get("bits"))
    nearest = _keep_finite(clean.get("nearest"))
    return CleanSummary(
        figures,
        None if bits is None else (float(bits.quantile(USUAL_RANGE[0])), float(bits.quantile(USUAL_RANGE[1]))),
        None if nearest is None else float(nearest.quantile(FARTHEST_USUAL)),
    )


def summarise_move(columns: AuditColumns, space: str, title: str, clean: CleanSummary, classes: int) -> MoveSummary:
    """Return the figures of one move."""
    before, rebuilt, moved = columns.clean, columns.spaces[space], columns.moves[title]
    known = before["judged"] == before["label"]
    quartiles = moved["distance"].quantile(torch.tensor([0.25, 0.5, 0.75]).double())
    return MoveSummary(
        figures={
            **_summarise_judge(before, rebuilt, moved, known),
            **_summarise_classifier(before, rebuilt, moved),
            **_summarise_distances(before, rebuilt, moved, clean),
            **_summarise_labels(moved),
        },
        quartiles=tuple(quartiles.tolist()),
        confusion=count_pairs(moved["target"][known], moved["judged"][known], classes),
        broken=_list_broken(moved, known),
        label_judged=bool((moved["both"] >= 0).any()),
    )


def _summarise_judge(before: ColumnTensors, rebuilt: ColumnTensors, moved: ColumnTensors, known: Tensor) -> Figures:
    """Return shares of the images that the judge knew; what is lost is lost by the model alone, or by the move."""
    if not known.any():
        return {}
    survived, kept = (rebuilt["judged"] == before["label"])[known], (moved["judged"] == moved["target"])[known]
    control = (moved["noise judged"] == before["label"])[known]
    return {
        "kept": _share(kept),
        "kept by rebuilding": _share(survived),
        "lost by the model": _share(~kept & ~survived),
        "lost by the move": _share(~kept & survived),
        "kept under noise": _share(control),
        "kept beyond noise": estimate_mean(kept.double() - control.double()),
    }


def _summarise_classifier(before: ColumnTensors, rebuilt: ColumnTensors, moved: ColumnTensors) -> Figures:
    known = before["guess"] == before["label"]
    right = moved["guess"] == moved["target"]
    figures = {
        "confidence gained": estimate_mean(moved["confidence"] - before["confidence"]),
        "calibration error": _calibrate(moved["confidence"], right),
    }
    if not known.any():
        return figures
    return figures | {
        "classifier kept": _share(right[known]),
        "classifier kept by rebuilding": _share((rebuilt["guess"] == before["label"])[known]),
        "classifier kept under noise": _share((moved["noise guess"] == before["label"])[known]),
    }


def _summarise_distances(
    before: ColumnTensors, rebuilt: ColumnTensors, moved: ColumnTensors, clean: CleanSummary
) -> Figures:
    figures = {
        "distance": estimate_mean(moved["distance"]),
        "distance by the model": estimate_mean(rebuilt["distance"]),
        "distance by the move": estimate_mean(moved["travel"]),
    }
    if clean.usual_bits is not None:
        low, high = clean.usual_bits
        bits = moved["bits"]
        figures["outside usual bits/dim"] = _share(~((bits >= low) & (bits <= high)))
        figures["bits/dim gained"] = estimate_mean((bits - before["bits"])[(bits - before["bits"]).isfinite()])
    if clean.farthest is not None:
        figures["far from real images"] = _share(~(moved["nearest"] <= clean.farthest))
    return figures


def _summarise_labels(moved: ColumnTensors) -> Figures:
    figures = {"disagreement": estimate_mean(moved["disagreement"])}
    expected = moved["both"] >= 0
    if expected.any():
        figures["sees both classes"] = _share(moved["both"][expected] == 1)
    return figures


def count_pairs(labels: Tensor, seen: Tensor, classes: int) -> Tensor:
    """Count each pair of a label and a class that is seen: a row a label."""
    return torch.bincount(labels * classes + seen, minlength=classes**2).reshape(classes, classes)


def _list_broken(moved: ColumnTensors, known: Tensor) -> tuple[int, ...]:
    lost = known & (moved["judged"] != moved["target"])
    order = torch.where(lost, moved["distance"], -1.0).argsort(descending=True, stable=True)
    return tuple(order[: int(lost.sum())].tolist())


def _share(hits: Tensor) -> Estimate:
    return estimate_share(hits.float())


def _calibrate(confidence: Tensor, hits: Tensor) -> Estimate:
    return estimate_calibration_error(confidence.float(), hits.float())


def _keep_finite(values: Tensor | None) -> Tensor | None:
    if values is None:
        return None
    finite = values[values.isfinite()]
    return finite if len(finite) else None


def describe_estimate(found: Estimate) -> dict[str, float | int]:
    """Return the figure as JSON."""
    count = {} if found.each is None else {"images": len(found.each)}
    return {name: round(getattr(found, name), 6) for name in ("value", "low", "high")} | count


def describe_figures(figures: Mapping[str, Estimate]) -> dict[str, Any]:
    return {name: describe_estimate(found) for name, found in figures.items()}

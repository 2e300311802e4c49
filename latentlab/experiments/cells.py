"""An experiment is done cell by cell in a folder: what is there is read, what is missing is measured."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from latentlab.errors import UserError
from latentlab.experiments.experiment import ArmSettings, Cell, Effort, Experiment, Scores
from latentlab.models.networks import NetworkSource
from latentlab.runs.files import read_record, write_atomically

PLAN_FILE = "plan.json"


def measure_experiment(
    experiment: Experiment,
    effort: Effort,
    networks: NetworkSource,
    folder: Path,
    tell: Callable[[str], None] = lambda line: None,
) -> tuple[dict[str, ArmSettings], dict[str, Scores], float]:
    """Measure every cell that is not there yet; return the arms, each one's scores, and the seconds they all took."""
    arms = _settle_plan(experiment, effort, networks, folder)
    cells, seconds = experiment.list_cells(arms, effort), 0.0
    found: dict[str, Scores] = {arm: {} for arm in arms}
    for place, cell in enumerate(cells, 1):
        path = folder / f"{cell.name}.json"
        record = read_record(path)
        if record is None:
            tell(f"{place} of {len(cells)}: {cell.name}")
            record = _measure_cell(experiment, cell, arms[cell.arm], effort, folder, networks)
            write_atomically(path, json.dumps(record))
        seconds += record["seconds"]
        for figure, values in record["scores"].items():
            found[cell.arm].setdefault(figure, []).extend(values)
    return arms, experiment.derive_figures(found), seconds


def _settle_plan(
    experiment: Experiment, effort: Effort, networks: NetworkSource, folder: Path
) -> dict[str, ArmSettings]:
    """Settle the arms once, and read them again: cells of one folder belong to one experiment; seeds may be added."""
    sizes = {name: value for name, value in asdict(effort).items() if name != "seeds"}
    asked = {"experiment": experiment.title, "effort": sizes}
    known = read_record(folder / PLAN_FILE)
    if known is None:
        folder.mkdir(parents=True, exist_ok=True)
        known = {**asked, "arms": experiment.settle_arms(effort, networks)}
        write_atomically(folder / PLAN_FILE, json.dumps(known, indent=1))
    if any(known.get(name) != value for name, value in asked.items()):
        raise UserError(f"{folder} holds {_describe_plan(known)}, not {_describe_plan(asked)}; name another --out.")
    return known["arms"]


def _describe_plan(plan: Mapping[str, Any]) -> str:
    sizes = ", ".join(f"{value} {name}" for name, value in plan.get("effort", {}).items())
    return f"“{plan.get('experiment', 'something else')}” with {sizes}"


def _measure_cell(
    experiment: Experiment, cell: Cell, arm: ArmSettings, effort: Effort, folder: Path, networks: NetworkSource
) -> dict[str, Any]:
    start = time.monotonic()
    scores = experiment.measure_cell(cell, arm, effort, folder / cell.name, networks)
    return {"seconds": round(time.monotonic() - start, 2), "scores": scores}

"""What an experiment leaves in its folder: the table, the figure, what was found, and how long it took."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from latentlab.experiments.cells import measure_experiment
from latentlab.experiments.chart import write_chart
from latentlab.experiments.experiment import Effort, Experiment
from latentlab.experiments.report import build_rows, describe_finding, format_rows, judge_claims, write_sentence
from latentlab.models.networks import NetworkSource
from latentlab.runs.files import write_atomically


def reproduce_experiment(
    name: str,
    experiment: Experiment,
    effort: Effort,
    networks: NetworkSource,
    folder: Path,
    tell: Callable[[str], None] = lambda line: None,
) -> tuple[dict[str, Any], str]:
    """Do what is missing and write NAME.json, NAME.txt and NAME.html; return the JSON and the text."""
    arms, found, seconds = measure_experiment(experiment, effort, networks, folder, tell)
    rows, findings = build_rows(experiment, arms, found), judge_claims(experiment, found)
    sentence = write_sentence(experiment, findings)
    outcome = {
        "experiment": name,
        "effort": asdict(effort),
        "minutes": round(seconds / 60, 1),
        "rows": rows,
        "findings": [describe_finding(finding) for finding in findings],
        "sentence": sentence,
        "notes": list(experiment.notes),
    }
    text = "\n".join([format_rows(experiment, rows), *experiment.notes, sentence])
    write_atomically(folder / f"{name}.json", json.dumps(outcome, indent=1, ensure_ascii=False))
    write_atomically(folder / f"{name}.txt", text + "\n")
    write_chart(experiment, rows, sentence, folder / f"{name}.html")
    return outcome, text

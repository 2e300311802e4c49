"""What a run may ask for; the page's sliders are only the first to say so."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from latentlab.errors import UserError
from latentlab.knobs import tool_from_json, tool_to_json
from latentlab.runs.layout import FIT_VERB

RUN_VERBS = {
    "train": ("latentlab.training.augmented", "Config"),
    "compare": ("latentlab.comparison", "Comparison"),
    "audit": ("latentlab.auditing", "Audit"),
    FIT_VERB: ("latentlab.training.fit_config", "FitConfig"),
}
MAX_CONFIG_BYTES = 2**20  # bytes; a selection of fifty thousand rows is a third of it
MAX_NAME_LENGTH = 80


@dataclass(frozen=True)
class Limits:
    """The limits of one run; and of one owner's runs."""

    steps: int = 500_000
    epochs: float = 1000
    minutes: float = 1440  # also of the process itself: after this it is asked to stop and save
    batch: int = 4096
    images: int = 10_000
    waiting: int = 8  # an owner's runs in the queue
    kept: int = 200  # an owner's runs on the disk

    def check_config(self, verb: str, config: Mapping[str, Any]) -> dict[str, Any]:
        """Return the configuration with every knob checked, as JSON."""
        if verb not in RUN_VERBS:
            raise UserError(f"There is no verb {str(verb)[:40]!r} for a run; choose {', '.join(RUN_VERBS)}.")
        if not isinstance(config, Mapping):
            raise UserError("The configuration of a run is an object of knobs; reload the page.")
        module, name = RUN_VERBS[verb]
        checked = tool_to_json(tool_from_json(getattr(import_module(module), name), config))
        for knob in ("steps", "epochs", "minutes", "batch", "images"):
            if checked.get(knob, 0) > getattr(self, knob):
                raise UserError(f"{knob} is {checked[knob]:g}; a run here may have at most {getattr(self, knob):g}.")
        if len(json.dumps(checked)) > MAX_CONFIG_BYTES:
            raise UserError("The configuration of this run is larger than 1 MiB; choose fewer images.")
        return checked


def check_name(name: object) -> str:
    """Return the name as one line for people, or refuse it."""
    if not isinstance(name, str) or len(name) > MAX_NAME_LENGTH or not name.isprintable():
        raise UserError(f"The name of a run is one line of at most {MAX_NAME_LENGTH} letters.")
    return name.strip()

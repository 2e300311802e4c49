"""What a fit is asked to do where it is a run: knobs, so that form, check and JSON follow."""

from __future__ import annotations

from typing import Annotated

from latentlab.knobs import Knob, tool
from latentlab.models.kinds import list_stored_kinds


@tool
class FitConfig:
    """A network from scratch, the world that it learns from, and for how long."""

    world: Annotated[str, Knob("data set")] = "digits"
    kind: Annotated[str, Knob("of network", choices=tuple(list_stored_kinds()))] = "vae"
    minutes: Annotated[float, Knob("budget of time", 0.01, 10_000, unit="min")] = 5.0
    seed: Annotated[int, Knob("of everything that is drawn", 0, 2**31 - 1)] = 0

"""What can be done to a batch: five operators in latent space, the published methods, the standard corruptions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from latentlab.errors import UserError
from latentlab.knobs import from_json, to_json
from latentlab.operators.adversary import Adversary, Step
from latentlab.operators.calibrate import calibrate
from latentlab.operators.classic import CutMix, Standard
from latentlab.operators.corruptions import CORRUPTIONS, Corruption
from latentlab.operators.doubts import doubts
from latentlab.operators.matching import match
from latentlab.operators.methods import METHODS, Method
from latentlab.operators.mix import Mix, slerp
from latentlab.operators.move import Move, clean, decode, distance, encode
from latentlab.operators.noise import Noise
from latentlab.operators.shift import Shift
from latentlab.operators.swap import Swap
from latentlab.types import Operator

__all__ = [
    "CORRUPTIONS",
    "METHODS",
    "OPERATORS",
    "Adversary",
    "Corruption",
    "CutMix",
    "Method",
    "Mix",
    "Move",
    "Noise",
    "Shift",
    "Standard",
    "Step",
    "Swap",
    "calibrate",
    "clean",
    "decode",
    "distance",
    "doubts",
    "encode",
    "make",
    "match",
    "slerp",
]

OPERATORS: dict[str, type[Move]] = {
    "noise": Noise,
    "shift": Shift,
    "adversary": Adversary,
    "mix": Mix,
    "swap": Swap,
}


def make(name: str, settings: Mapping[str, Any] | None = None) -> Operator:
    """The operator, method or corruption of this name, with the knobs that differ from its own."""
    settings = settings or {}
    if name in METHODS:
        published = METHODS[name].operator
        return from_json(type(published), {**to_json(published), **settings})
    tools = {**OPERATORS, **CORRUPTIONS}
    if name not in tools:
        known = ", ".join([*OPERATORS, *METHODS, *CORRUPTIONS])
        raise UserError(f"There is no operator {name[:40]!r}; there are {known}.")
    return from_json(tools[name], settings)

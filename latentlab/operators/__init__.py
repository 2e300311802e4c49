"""What can be done to a batch: five operators in latent space, the published methods, the standard corruptions.

An operator takes a batch and a bench and returns a batch; it knows no model by name and leaves no trace. Whatever only
looks at pictures, and gives none back, belongs in `metrics` or `explainers`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from latentlab.errors import UserError
from latentlab.knobs import tool_from_json, tool_to_json
from latentlab.operators.adversary import Adversary
from latentlab.operators.attack import Attack, AttackStep
from latentlab.operators.attack_checks import check_attack
from latentlab.operators.calibration import calibrate_knob
from latentlab.operators.corruptions import CORRUPTIONS, Corruption
from latentlab.operators.latent_operator import (
    LatentOperator,
    MoveVariants,
    decode,
    encode,
    measure_distance,
    rebuild_images,
)
from latentlab.operators.local_directions import find_local_direction, is_local_direction
from latentlab.operators.methods import METHODS, PIXEL_PGD, Method
from latentlab.operators.mix import Mix, slerp
from latentlab.operators.move_path import MovePath
from latentlab.operators.noise import Noise
from latentlab.operators.pairing import match_points
from latentlab.operators.pixel_augmentations import Blur, CutMix, RebuiltMixup, Standard
from latentlab.operators.shift import Shift
from latentlab.operators.swap import Swap
from latentlab.types import Operator

__all__ = [
    "CORRUPTIONS",
    "METHODS",
    "OPERATORS",
    "PIXEL_PGD",
    "Adversary",
    "Attack",
    "AttackStep",
    "Blur",
    "Corruption",
    "CutMix",
    "LatentOperator",
    "Method",
    "Mix",
    "MovePath",
    "MoveVariants",
    "Noise",
    "RebuiltMixup",
    "Shift",
    "Standard",
    "Swap",
    "calibrate_knob",
    "check_attack",
    "decode",
    "encode",
    "find_local_direction",
    "is_local_direction",
    "make_operator",
    "match_points",
    "measure_distance",
    "name_operator",
    "rebuild_images",
    "slerp",
]

OPERATORS: dict[str, type[LatentOperator]] = {
    "noise": Noise,
    "shift": Shift,
    "adversary": Adversary,
    "mix": Mix,
    "swap": Swap,
}


def make_operator(name: str, settings: Mapping[str, Any] | None = None) -> Operator:
    """Return the operator, method or corruption of this name, with the knobs that differ from its own."""
    settings = settings or {}
    if name in METHODS:
        published = METHODS[name].operator
        return tool_from_json(type(published), {**tool_to_json(published), **settings})
    tools = {**OPERATORS, **CORRUPTIONS}
    if name not in tools:
        known = ", ".join([*OPERATORS, *METHODS, *CORRUPTIONS])
        raise UserError(f"There is no operator {name[:40]!r}; there are {known}.")
    return tool_from_json(tools[name], settings)


def name_operator(operator: LatentOperator) -> str:
    """Return the name under which the operator's class stands in the table."""
    return next(name for name, cls in OPERATORS.items() if type(operator) is cls)

"""What was done to images, as JSON: enough to do it again, and nothing that names a file."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from latentlab import operators
from latentlab.errors import UserError
from latentlab.types import Operator
from latentlab.untrusted import is_plain_text, parse_json, show_value

RECIPE_VERSION = 1
MAX_RECIPE_LENGTH = 65_536
MAX_RECIPE_SEED = 2**63 - 1
MAX_REFINE_STEPS = 1000
NETWORK_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,63}(:[^/\\\x00-\x1f<>]{1,100})?")
DIGEST_PATTERN = re.compile(r"[0-9a-z]{0,64}")
OPERATOR_PATTERN = re.compile(r"[a-z0-9_-]{1,64}")
IMAGE_ID_PATTERN = re.compile(r"[^/\\\x00-\x1f]{1,200}")  # an id, never a path


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Networks by name and digest, the operator with its knobs, the seed, the ids of the images in their order."""

    version: int = RECIPE_VERSION
    model: str
    model_digest: str = ""
    classifier: str | None = None
    classifier_digest: str | None = None
    operator: str
    settings: dict[str, Any] = field(default_factory=dict)
    seed: int = 0
    refine: int = 0  # steps of optimisation after the encoding
    images: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check_fields(vars(self))

    def make_operator(self) -> Operator:
        """Make the operator with these settings."""
        return operators.make_operator(self.operator, self.settings)

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=1, ensure_ascii=False, allow_nan=False)


def parse_recipe(text: str | bytes) -> Recipe:
    """Return the recipe in this text, every field checked; text of strangers is welcome."""
    if len(text) > MAX_RECIPE_LENGTH:
        raise UserError(f"The recipe has {len(text):,} letters; at most {MAX_RECIPE_LENGTH:,} are read.")
    try:
        values = parse_json(text)
    except ValueError as error:
        raise UserError(
            f"This is no recipe: it is not valid JSON ({show_value(error, 80)}). Export it from LatentLab again."
        ) from error
    if not isinstance(values, dict) or "version" not in values:
        raise UserError('This is no recipe: it must be a JSON object with a "version". Export it from LatentLab again.')
    return _build_recipe(values)


def _build_recipe(values: dict[str, Any]) -> Recipe:
    known = {item.name for item in fields(Recipe)}
    if unknown := set(values) - known:
        shown, allowed = show_value(sorted(unknown)[0]), ", ".join(sorted(known))
        raise UserError(f"The recipe has an unknown field {shown!r}; it may have {allowed}.")
    if missing := {"model", "operator"} - set(values):
        raise UserError(f"The recipe has no {' and no '.join(sorted(missing))}; export it from LatentLab again.")
    defaults = {
        "model_digest": "",
        "classifier": None,
        "classifier_digest": None,
        "settings": {},
        "seed": 0,
        "refine": 0,
        "images": [],
    }
    whole = {**defaults, **values}
    _check_fields(whole)
    return Recipe(**{**whole, "images": tuple(whole["images"])})


def _check_fields(values: Mapping[str, Any]) -> None:
    """Check every field, whatever its value is: it may come from a stranger."""
    if type(values["version"]) is not int or values["version"] != RECIPE_VERSION:
        _refuse_field("version", values["version"], f"{RECIPE_VERSION}: it was made by another LatentLab")
    _check_pattern("model", values["model"], NETWORK_PATTERN, "the name of a network")
    _check_pattern("model_digest", values["model_digest"], DIGEST_PATTERN, "hex digits")
    if values["classifier"] is not None:
        _check_pattern("classifier", values["classifier"], NETWORK_PATTERN, "the name of a network, or null")
    if values["classifier_digest"] is not None:
        _check_pattern("classifier_digest", values["classifier_digest"], DIGEST_PATTERN, "hex digits, or null")
    if type(values["seed"]) is not int or not 0 <= values["seed"] <= MAX_RECIPE_SEED:
        _refuse_field("seed", values["seed"], f"a whole number from 0 to {MAX_RECIPE_SEED}")
    if type(values["refine"]) is not int or not 0 <= values["refine"] <= MAX_REFINE_STEPS:
        _refuse_field("refine", values["refine"], f"a whole number of steps from 0 to {MAX_REFINE_STEPS}")
    if not isinstance(values["images"], list | tuple):
        _refuse_field("images", values["images"], "a list of ids")
    for image in values["images"]:
        _check_pattern("images", image, IMAGE_ID_PATTERN, "ids without slashes")
    _check_pattern("operator", values["operator"], OPERATOR_PATTERN, "the name of an operator")
    if not isinstance(values["settings"], dict):
        _refuse_field("settings", values["settings"], "an object of knobs and values")
    operators.make_operator(values["operator"], values["settings"])


def _check_pattern(name: str, value: Any, pattern: re.Pattern[str], allowed: str) -> None:
    if not is_plain_text(value) or not pattern.fullmatch(value):
        _refuse_field(name, value, allowed)


def _refuse_field(name: str, value: Any, allowed: str) -> None:
    raise UserError(f"The recipe's {name} is {show_value(value)!r}; it must be {allowed}.")

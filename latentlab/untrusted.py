"""Values of strangers are checked here before anything else looks at them: numbers for type, range and finiteness,
text for length and for being valid Unicode, JSON for both.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any

MAX_TEXT_LETTERS = 200


def is_finite_number(value: Any) -> bool:
    """Say whether this is a number that a float can hold; a truth value is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer of some hundred digits
        return False


def is_number_within(value: Any, low: float | None = None, high: float | None = None) -> bool:
    """Say whether this is a finite number between the bounds, both allowed."""
    return is_finite_number(value) and (low is None or value >= low) and (high is None or value <= high)


def is_whole_number_within(value: Any, low: float | None = None, high: float | None = None) -> bool:
    """Say whether this is a whole number between the bounds; 3.0 is one."""
    return is_number_within(value, low, high) and value == int(value)


def is_plain_text(value: Any, letters: int = MAX_TEXT_LETTERS) -> bool:
    """Say whether this is text of bounded length that can be encoded; half of a surrogate pair cannot."""
    return (
        isinstance(value, str) and len(value) <= letters and not any("\ud800" <= letter <= "\udfff" for letter in value)
    )


def show_value(value: Any, letters: int = 40) -> str:
    """Return the beginning of a value for an error message, whatever it is: it can be encoded and printed."""
    try:
        text = str(value)
    except ValueError:  # an integer of more than 4300 digits
        text = "a number of thousands of digits"
    return text[:letters].encode("utf-8", "backslashreplace").decode()


def parse_json(text: str | bytes) -> Any:
    """Parse JSON whose numbers are finite and whose text can be encoded; raise a ValueError for any other."""
    try:
        value = json.loads(text, parse_constant=_refuse_constant, parse_float=_parse_finite)
        _check_parts([value])
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error
    return value


def _check_parts(parts: Iterable[Any]) -> None:
    for part in parts:
        if isinstance(part, dict):
            _check_parts(part)
            _check_parts(part.values())
        elif isinstance(part, list):
            _check_parts(part)
        elif isinstance(part, str):
            _require_valid(is_plain_text(part, len(part)), "a text in it is not valid Unicode")
        else:
            _require_valid(part is None or isinstance(part, bool) or is_finite_number(part), "a number is too large")


def _require_valid(valid: bool, reason: str) -> None:
    if not valid:
        raise ValueError(reason)


def _parse_finite(text: str) -> float:
    number = float(text)
    _require_valid(math.isfinite(number), "a number is too large")
    return number


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number")

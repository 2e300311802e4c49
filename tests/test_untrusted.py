"""What strangers send is checked for type, range and Unicode before anything looks at it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import pytest

from latentlab.errors import UserError
from latentlab.knobs import Knob, Setting
from latentlab.operators import OPERATORS
from latentlab.recipe import Recipe, parse_recipe
from latentlab.untrusted import (
    is_finite_number,
    is_number_within,
    is_plain_text,
    is_whole_number_within,
    parse_json,
    show_value,
)

HUGE = 10**400
STRANGE_NUMBERS: tuple[Any, ...] = (HUGE, -HUGE, 10**5000, math.nan, math.inf, -math.inf, True, "1", None, [1], 1j)
NUMBER_IDS = ("400 digits", "-400 digits", "5000 digits", "nan", "inf", "-inf", "True", "text", "None", "list", "1j")
SURROGATES = ("\ud800", "a\udfff", "\udc80.png")


@pytest.mark.parametrize("value", STRANGE_NUMBERS, ids=NUMBER_IDS)
def test_what_is_no_finite_number_is_refused(value: Any) -> None:
    assert not is_finite_number(value)
    assert not is_number_within(value)
    assert not is_whole_number_within(value)


@pytest.mark.parametrize(
    ("value", "inside", "whole"),
    [(0, True, True), (2.0, True, True), (1.5, True, False), (3, False, False), (-0.0, True, True)],
)
def test_a_number_is_inside_its_bounds(value: float, inside: bool, whole: bool) -> None:
    assert is_number_within(value, 0, 2) == inside
    assert is_whole_number_within(value, 0, 2) == whole


@pytest.mark.parametrize("kind", [int, float])
@pytest.mark.parametrize("value", STRANGE_NUMBERS, ids=NUMBER_IDS)
def test_a_setting_refuses_in_a_line_that_can_be_shown(kind: type, value: Any) -> None:
    with pytest.raises(UserError, match="seed is") as caught:
        Setting("seed", kind, 0, Knob("", 0, 9)).check_value(value)
    assert len(str(caught.value).encode()) < 200


@pytest.mark.parametrize("text", SURROGATES, ids=["high", "low", "file"])
def test_half_a_pair_is_no_text(text: str) -> None:
    assert not is_plain_text(text)
    with pytest.raises(ValueError, match="Unicode"):
        parse_json(json.dumps({"a": [text]}))
    with pytest.raises(ValueError, match="Unicode"):
        parse_json(json.dumps({text: 1}))
    assert show_value(text).encode()
    with pytest.raises(UserError):
        Setting("name", str, "", Knob("")).check_value(text)


def test_text_is_bounded() -> None:
    assert is_plain_text("ä" * 200)
    assert not is_plain_text("ä" * 201)
    assert is_plain_text("\U0001f600")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("NaN", "no number"),
        ("[Infinity]", "no number"),
        ("1e999", "too large"),
        (str(HUGE), "too large"),
        ("9" * 5000, "digits"),
        ("[" * 100_000, "too deep"),
        ('{"a": -1e400}', "too large"),
        ("{", "Expecting"),
    ],
    ids=range(8),
)
def test_json_that_cannot_be_used_is_a_value_error(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        parse_json(text)


def test_json_comes_as_it_is() -> None:
    value = {"a": [1, 2.5, None, True, "ä"], "b": {"c": -1e-300}}
    assert parse_json(json.dumps(value)) == value


PLACES: dict[str, Callable[[Any], dict[str, Any]]] = {
    "seed": lambda value: {"seed": value},
    "version": lambda value: {"version": value},
    "refine": lambda value: {"refine": value},
    "model": lambda value: {"model": value},
    "images": lambda value: {"images": [value]},
    "knob": lambda value: {"settings": {"epsilon": value, "direction": value, "lam": value, "parts": value}},
    "name of a knob": lambda value: {"settings": {str(value)[:400]: 1}},
    "name of a field": lambda value: {str(value)[:400]: 1},
}


@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize("value", [HUGE, *SURROGATES, "9" * 60_000], ids=["huge", "high", "low", "file", "long"])
@pytest.mark.parametrize("place", PLACES)
def test_a_recipe_with_it_is_refused_in_one_line(operator: str, value: Any, place: str) -> None:
    whole = json.loads(Recipe(model="digits-vae", operator=operator, images=("a",)).to_json())
    with pytest.raises(UserError) as caught:
        parse_recipe(json.dumps({**whole, **PLACES[place](value)}))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value).encode()) < 400

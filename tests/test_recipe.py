"""A recipe says everything and nothing more; one of a stranger is read field by field."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latentlab import knobs, recipe
from latentlab.errors import UserError
from latentlab.operators import CORRUPTIONS, METHODS, OPERATORS, Adversary
from latentlab.recipe import Recipe

HARD = Recipe(
    model="digits-glow",
    model_digest="0123456789abcdef",
    classifier="faces-resnet18:5_o_Clock_Shadow",
    classifier_digest="fedcba9876543210",
    operator="adversary",
    settings={"epsilon": 0.5},
    seed=7,
    images=("digits/test/3".replace("/", ":"), "my photo, été.png"),
)


def test_it_comes_back_as_it_was() -> None:
    assert recipe.parse_recipe(HARD.to_json()) == HARD
    assert HARD.make_operator() == Adversary(epsilon=0.5)


@pytest.mark.parametrize("name", [*OPERATORS, *CORRUPTIONS, *METHODS])
def test_every_tool_can_be_written_down(name: str) -> None:
    plain = Recipe(model="digits-pixels", operator=name)
    whole = replace(plain, settings=knobs.tool_to_json(plain.make_operator()))
    assert recipe.parse_recipe(whole.to_json()).make_operator() == plain.make_operator()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"version": 2}, "version"),
        ({"version": "1"}, "version"),
        ({"version": True}, "version"),
        ({"model": "../../etc/passwd"}, "model"),
        ({"model": "/tmp/x.safetensors"}, "model"),
        ({"model": None}, "model"),
        ({"model": {"a": 1}}, "model"),
        ({"model": "a" * 65}, "model"),
        ({"model_digest": "../x"}, "model_digest"),
        ({"classifier": "a\\b"}, "classifier"),
        ({"classifier": "a:<img src=x onerror=alert(1)>"}, "classifier"),
        ({"classifier_digest": 5}, "classifier_digest"),
        ({"operator": "os.system"}, "operator"),
        ({"operator": ["noise"]}, "operator"),
        ({"settings": []}, "settings"),
        ({"settings": {"epsilon": "1"}}, "epsilon"),
        ({"settings": {"epsilon": -1}}, "epsilon"),
        ({"settings": {"epsilon": True}}, "epsilon"),
        ({"settings": {"__class__": 1}}, "no knob"),
        ({"seed": -1}, "seed"),
        ({"seed": 1.5}, "seed"),
        ({"seed": 2**63}, "seed"),
        ({"images": "abc"}, "images"),
        ({"images": ["a/b"]}, "images"),
        ({"images": ["a\0"]}, "images"),
        ({"images": [1]}, "images"),
        ({"path": "/etc"}, "unknown field"),
    ],
)
def test_a_bad_field_is_one_line(change: dict[str, Any], says: str) -> None:
    values = {**json.loads(HARD.to_json()), **change}
    with pytest.raises(UserError, match=says) as caught:
        recipe.parse_recipe(json.dumps(values))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "5",
        "{}",
        "{",
        "[" * 50_000,
        '{"version": NaN}',
        '{"version": 1}',
        b"\xff\xfe\x00",
        '{"version": [1]}',
    ],
)
def test_what_is_no_recipe_is_refused(text: str | bytes) -> None:
    with pytest.raises(UserError):
        recipe.parse_recipe(text)


def test_a_huge_recipe_is_not_read() -> None:
    with pytest.raises(UserError, match="at most"):
        recipe.parse_recipe(" " * (recipe.MAX_RECIPE_LENGTH + 1))


def test_a_number_that_is_not_finite_is_refused() -> None:
    with pytest.raises(UserError):
        recipe.parse_recipe(HARD.to_json().replace("0.5", "NaN"))
    with pytest.raises(UserError):
        recipe.parse_recipe(HARD.to_json().replace("0.5", "1e999"))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from(["version", "model", "classifier", "operator", "settings", "seed", "images"]), JSON)
def test_any_json_in_any_field_is_read_or_refused(field: str, value: Any) -> None:
    try:
        read = recipe.parse_recipe(json.dumps({**json.loads(HARD.to_json()), field: value}))
    except UserError:
        return
    assert recipe.parse_recipe(read.to_json()) == read

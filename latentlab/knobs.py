"""A knob is declared once, as an annotated dataclass field; widget, range check, JSON, flag and HTTP name follow.

@tool
class Noise:
    epsilon: Annotated[float, Knob("radius of the move", 0, 100, unit="σ")] = 20.0
    shape: Annotated[Literal["sphere", "gaussian"], Knob("where δ is drawn")] = "sphere"
    parts: Annotated[tuple[str, ...], Knob("latent parts that move", choices=PART_GROUPS)] = PART_GROUPS
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from functools import cache
from typing import Any, Literal, TypeVar, dataclass_transform, get_args, get_origin, get_type_hints

from latentlab.errors import UserError
from latentlab.untrusted import MAX_TEXT_LETTERS, is_number_within, is_plain_text, is_whole_number_within, show_value

T = TypeVar("T")

MAX_TUPLE_ITEMS = 1_000_000  # items of a tuple
KNOB_LETTERS = {"lam": "λ", "epsilon": "ε", "alpha": "α"}  # how people write the knobs that papers write in Greek


@dataclass(frozen=True)
class Knob:
    """Help in one line; bounds for numbers, or for the length of a tuple; choices for a tuple of names."""

    help: str
    low: float | None = None
    high: float | None = None
    unit: str = ""
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Setting:
    """A knob with the name, type and default of its field."""

    name: str
    type: type  # float, int, bool, str, tuple or dict
    default: Any
    knob: Knob
    item: type | None = None  # of a tuple without choices: int, str or a tool

    def check_value(self, value: Any) -> Any:
        """Return the value as this setting's type, or say in one clear line what it must be."""
        if self.type is bool:
            return self._require_allowed(isinstance(value, bool), value, "true or false", value)
        if self.type in (float, int):
            return self._check_number(value)
        if self.item is not None:
            return self._check_items(value)
        if self.type is dict:
            return self._require_allowed(isinstance(value, Mapping), value, "an object of names and values", value)
        if self.type is tuple:
            ok = isinstance(value, list | tuple) and all(v in self.knob.choices for v in value)
            return self._require_allowed(ok, value, f"any of {', '.join(self.knob.choices)}", ok and tuple(value))
        if self.knob.choices:
            return self._require_allowed(
                value in self.knob.choices, value, f"one of {', '.join(self.knob.choices)}", value
            )
        return self._require_allowed(
            is_plain_text(value), value, f"a text of at most {MAX_TEXT_LETTERS} letters", value
        )

    def _check_number(self, value: Any) -> float | int:
        knob, kind = self.knob, "a whole number" if self.type is int else "a number"
        allowed = (
            f"{kind} from {knob.low:g} to {knob.high:g}" if knob.low is not None and knob.high is not None else kind
        )
        ok = (is_whole_number_within if self.type is int else is_number_within)(value, knob.low, knob.high)
        return self._require_allowed(ok, value, allowed, ok and self.type(value))

    def _check_items(self, value: Any) -> tuple[Any, ...]:
        """Check each one as a setting of its own; a tool may come as its JSON."""
        assert self.item is not None
        low, high = int(self.knob.low or 0), int(self.knob.high or MAX_TUPLE_ITEMS)
        ok = isinstance(value, list | tuple) and low <= len(value) <= high
        self._require_allowed(
            ok, f"of {len(value)}" if isinstance(value, list | tuple) else value, f"{low} to {high} of them", ok
        )
        if self.item in (int, str):
            one = Setting(self.name, self.item, None, Knob(self.knob.help, 0 if self.item is int else None))
            return tuple(one.check_value(item) for item in value)
        return tuple(self._check_tool(item) for item in value)

    def _check_tool(self, value: Any) -> Any:
        assert self.item is not None
        if isinstance(value, self.item):
            return value
        names = ", ".join(setting.name for setting in list_settings(self.item))
        return tool_from_json(
            self.item, self._require_allowed(isinstance(value, Mapping), value, f"an object with {names}", value)
        )

    def _require_allowed(self, ok: bool, value: Any, allowed: str, result: Any) -> Any:
        if not ok:
            raise UserError(f"{self.name} is {show_value(value)}; it must be {allowed}.")
        return result


@cache
def list_settings(cls: type) -> tuple[Setting, ...]:
    """Return the knobs of a tool class, in order."""
    hints = get_type_hints(cls, include_extras=True)
    return tuple(_make_setting(field.name, hints[field.name], _read_default(field)) for field in fields(cls))


def find_setting(cls: type, name: str) -> Setting:
    """Return the setting of this name."""
    return next(setting for setting in list_settings(cls) if setting.name == name)


def _read_default(field: Field[Any]) -> Any:
    return field.default if field.default_factory is MISSING else field.default_factory()


def _make_setting(name: str, hint: Any, default: Any) -> Setting:
    kind, knob = get_args(hint)
    if get_origin(kind) is Literal:
        return Setting(name, str, default, Knob(knob.help, choices=get_args(kind)))
    item = get_args(kind)[0] if get_origin(kind) is tuple and not knob.choices else None
    return Setting(name, get_origin(kind) or kind, default, knob, item)


@dataclass_transform(frozen_default=True)
def tool(cls: type[T]) -> type[T]:
    """Make the class a frozen dataclass of knobs whose values are checked when a tool is made."""

    def check_all(self: Any) -> None:
        for setting in list_settings(type(self)):
            object.__setattr__(self, setting.name, setting.check_value(getattr(self, setting.name)))

    cls.__post_init__ = check_all  # type: ignore[attr-defined]
    return dataclass(frozen=True)(cls)


def tool_to_json(instance: Any) -> dict[str, Any]:
    """Return knob names and values, ready for JSON."""
    return {setting.name: _to_plain_value(getattr(instance, setting.name)) for setting in list_settings(type(instance))}


def _to_plain_value(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_to_plain_value(item) for item in value]
    return tool_to_json(value) if is_dataclass(value) else value


def list_changed_knobs(instance: Any) -> dict[str, Any]:
    """Return the knobs that do not stand at their defaults."""
    knobs = ((setting, getattr(instance, setting.name)) for setting in list_settings(type(instance)))
    return {setting.name: value for setting, value in knobs if value != setting.default}


def tool_from_json(cls: type[T], values: Mapping[str, Any]) -> T:
    """Make the tool with these knob values, each checked; knobs that are not named keep their defaults."""
    known = {setting.name: setting for setting in list_settings(cls)}
    if unknown := set(values) - set(known):
        shown = ", ".join(show_value(name) for name in sorted(map(str, unknown))[:3])
        raise UserError(f"{cls.__name__} has no knob {shown}; it has {', '.join(sorted(known))}.")
    return cls(**{name: known[name].check_value(value) for name, value in values.items()})

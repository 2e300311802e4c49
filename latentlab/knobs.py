"""A knob is declared once, as an annotated dataclass field; widget, range check, JSON, flag and HTTP name follow.

@tool
class Noise:
    epsilon: Annotated[float, Knob("radius of the move", 0, 100, unit="σ")] = 20.0
    shape: Annotated[Literal["sphere", "gaussian"], Knob("where δ is drawn")] = "sphere"
    parts: Annotated[tuple[str, ...], Knob("latent parts that move", choices=GROUPS)] = GROUPS
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from functools import cache
from typing import Any, Literal, TypeVar, dataclass_transform, get_args, get_origin, get_type_hints

from latentlab.errors import UserError

T = TypeVar("T")

MOST = 1_000_000  # items of a tuple


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

    def check(self, value: Any) -> Any:
        """The value as this setting's type, or one clear line."""
        if self.type is bool:
            return self._must(isinstance(value, bool), value, "true or false", value)
        if self.type in (float, int):
            return self._number(value)
        if self.item is not None:
            return self._items(value)
        if self.type is dict:
            return self._must(isinstance(value, Mapping), value, "an object of names and values", value)
        if self.type is tuple:
            ok = isinstance(value, list | tuple) and all(v in self.knob.choices for v in value)
            return self._must(ok, value, f"any of {', '.join(self.knob.choices)}", ok and tuple(value))
        if self.knob.choices:
            return self._must(value in self.knob.choices, value, f"one of {', '.join(self.knob.choices)}", value)
        return self._must(isinstance(value, str) and len(value) <= 200, value, "a text of at most 200 letters", value)

    def _number(self, value: Any) -> float | int:
        knob, kind = self.knob, "a whole number" if self.type is int else "a number"
        allowed = (
            f"{kind} from {knob.low:g} to {knob.high:g}" if knob.low is not None and knob.high is not None else kind
        )
        ok = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        ok = ok and (self.type is float or value == int(value))
        ok = ok and (knob.low is None or value >= knob.low) and (knob.high is None or value <= knob.high)
        return self._must(ok, value, allowed, ok and self.type(value))

    def _items(self, value: Any) -> tuple[Any, ...]:
        """Each one as a setting of its own; a tool may come as its JSON."""
        assert self.item is not None
        low, high = int(self.knob.low or 0), int(self.knob.high or MOST)
        ok = isinstance(value, list | tuple) and low <= len(value) <= high
        self._must(ok, f"of {len(value)}" if isinstance(value, list | tuple) else value, f"{low} to {high} of them", ok)
        if self.item in (int, str):
            one = Setting(self.name, self.item, None, Knob(self.knob.help, 0 if self.item is int else None))
            return tuple(one.check(item) for item in value)
        return tuple(self._tool(item) for item in value)

    def _tool(self, value: Any) -> Any:
        assert self.item is not None
        if isinstance(value, self.item):
            return value
        names = ", ".join(setting.name for setting in settings(self.item))
        return from_json(self.item, self._must(isinstance(value, Mapping), value, f"an object with {names}", value))

    def _must(self, ok: bool, value: Any, allowed: str, result: Any) -> Any:
        if not ok:
            raise UserError(f"{self.name} is {str(value)[:40]!s}; it must be {allowed}.")
        return result


@cache
def settings(cls: type) -> tuple[Setting, ...]:
    """The knobs of a tool class, in order."""
    hints = get_type_hints(cls, include_extras=True)
    return tuple(_setting(field.name, hints[field.name], _default(field)) for field in fields(cls))


def _default(field: Field[Any]) -> Any:
    return field.default if field.default_factory is MISSING else field.default_factory()


def _setting(name: str, hint: Any, default: Any) -> Setting:
    kind, knob = get_args(hint)
    if get_origin(kind) is Literal:
        return Setting(name, str, default, Knob(knob.help, choices=get_args(kind)))
    item = get_args(kind)[0] if get_origin(kind) is tuple and not knob.choices else None
    return Setting(name, get_origin(kind) or kind, default, knob, item)


@dataclass_transform(frozen_default=True)
def tool(cls: type[T]) -> type[T]:
    """A frozen dataclass of knobs whose values are checked when it is made."""

    def check_all(self: Any) -> None:
        for setting in settings(type(self)):
            object.__setattr__(self, setting.name, setting.check(getattr(self, setting.name)))

    cls.__post_init__ = check_all  # type: ignore[attr-defined]
    return dataclass(frozen=True)(cls)


def to_json(instance: Any) -> dict[str, Any]:
    """Knob names and values, ready for JSON."""
    return {setting.name: _plain(getattr(instance, setting.name)) for setting in settings(type(instance))}


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return to_json(value) if is_dataclass(value) else value


def changed(instance: Any) -> dict[str, Any]:
    """The knobs that do not stand at their defaults."""
    knobs = ((setting, getattr(instance, setting.name)) for setting in settings(type(instance)))
    return {setting.name: value for setting, value in knobs if value != setting.default}


def from_json(cls: type[T], values: Mapping[str, Any]) -> T:
    """The tool with these knob values, each checked; knobs that are not named keep their defaults."""
    known = {setting.name: setting for setting in settings(cls)}
    if unknown := set(values) - set(known):
        shown = ", ".join(name[:40] for name in sorted(unknown)[:3])
        raise UserError(f"{cls.__name__} has no knob {shown}; it has {', '.join(sorted(known))}.")
    return cls(**{name: known[name].check(value) for name, value in values.items()})

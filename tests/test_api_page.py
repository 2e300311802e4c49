"""docs/api.md is what the code says of itself; WRITE_GOLDEN=1 writes it anew."""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterator, Mapping
from typing import Any

from repository import ROOT

import latentlab
from latentlab import cli, operators, types
from latentlab.explainers import EXPLAINERS
from latentlab.knobs import Setting, list_settings
from latentlab.metrics import METRICS
from latentlab.models.kinds import list_stored_kinds
from latentlab.projections import PROJECTIONS

PAGE = ROOT / "docs" / "api.md"
TABLES: dict[str, Mapping[str, type]] = {
    "Operators": operators.OPERATORS,
    "Explainers": EXPLAINERS,
    "Metrics": METRICS,
    "Projections": PROJECTIONS,
}
PROTOCOLS = ("LatentModel", "DensityModel", "DirectedModel", "BoundedModel", "RefinableModel", "Operator")
HEAD = """# The public surface

Written by `WRITE_GOLDEN=1 make test ARGS=tests/test_api_page.py` from the code, and compared with it by the same test.
How the parts fit together: [architecture.md](architecture.md). Words: [glossary.md](glossary.md)."""


def write_page() -> str:
    """Return the page; sections are divided by an empty line."""
    parts = (write_names, write_protocols, write_tables, write_methods, write_corruptions, write_verbs)
    return "\n\n".join([HEAD, *(section for part in parts for section in part())])


def write_names() -> Iterator[str]:
    yield "## `import latentlab as ll`"
    for name in latentlab.__all__:
        thing = getattr(latentlab, name)
        yield f"### `ll.{name}`" if inspect.ismodule(thing) else f"### `{write_signature(f'll.{name}', thing)}`"
        yield describe(thing)
        if inspect.isclass(thing) and not issubclass(thing, Exception):
            yield from write_members(thing)


def write_members(cls: type) -> Iterator[str]:
    members = {name: member for name, member in vars(cls).items() if not name.startswith("_")}
    lines = [
        f"- `{write_signature(name, member) if callable(member) else name}`: {describe(member)}"
        for name, member in members.items()
        if (callable(member) or isinstance(member, property)) and describe(member)
    ]
    if lines:
        yield "\n".join(lines)


def write_protocols() -> Iterator[str]:
    yield "## What a network can do"
    yield "\n".join(f"- `{name}`: {describe(getattr(types, name))}" for name in PROTOCOLS)
    yield f"Kinds of networks in checkpoints: {', '.join(f'`{kind}`' for kind in list_stored_kinds())}."


def write_tables() -> Iterator[str]:
    for title, table in TABLES.items():
        yield f"## {title}"
        for name, cls in table.items():
            yield f"### `{name}`: `{cls.__name__}`"
            yield describe(cls)
            settings = list_settings(cls)
            if settings:
                yield "\n".join(["| knob | default | allowed | |", "|---|---|---|---|", *map(write_knob, settings)])


def write_knob(setting: Setting) -> str:
    knob, kind = setting.knob, setting.type.__name__
    ends = f"{knob.low:g} to {knob.high:g} {knob.unit}".rstrip() if knob.low is not None and knob.high else kind
    allowed = ", ".join(knob.choices) or ends
    default = ", ".join(map(str, setting.default)) if isinstance(setting.default, tuple) else f"{setting.default!s:.40}"
    return f"| `{setting.name}` | {default or 'none'} | {allowed} | {knob.help} |".replace("|  |", "| |")


def write_methods() -> Iterator[str]:
    yield "## Published methods"
    rows = [f"| `{name}` | {method.space} | {method.source} |" for name, method in operators.METHODS.items()]
    yield "\n".join(["| name | space | settings from |", "|---|---|---|", *rows])


def write_corruptions() -> Iterator[str]:
    yield "## Corruptions"
    yield "Each has a `severity` from 1 to 5."
    yield "\n".join(f"- `{name}`: {describe(cls)}" for name, cls in operators.CORRUPTIONS.items())


def write_verbs() -> Iterator[str]:
    yield "## Verbs of `latentlab`"
    yield "\n".join(f"- `latentlab {name}`: {verb.help}" for name, verb in cli.VERBS.items()) + "\n"


def write_signature(name: str, thing: Any) -> str:
    """Return the call as one writes it, without annotations, which differ from Python to Python."""
    if inspect.isclass(thing) and issubclass(thing, Exception):
        return name
    found = [one for one in inspect.signature(thing).parameters.values() if one.name != "self"]
    return f"{name}({', '.join(map(write_parameter, found))})"


def write_parameter(one: inspect.Parameter) -> str:
    star = {one.VAR_POSITIONAL: "*", one.VAR_KEYWORD: "**"}.get(one.kind, "")
    default = one.default.__name__ if inspect.isclass(one.default) else repr(one.default)
    return star + one.name + ("" if one.default is one.empty else f"={default}")


def describe(thing: Any) -> str:
    """Return the first paragraph of its docstring as one line, nothing for the signature that a dataclass has there."""
    told = (inspect.getdoc(thing) or "").split("\n\n")[0].replace("\n", " ")
    return "" if told.startswith(f"{getattr(thing, '__name__', '')}(") else told


def test_the_page_says_what_the_code_says() -> None:
    text = write_page()
    if os.environ.get("WRITE_GOLDEN") == "1":
        PAGE.write_text(text, "utf-8")
    assert PAGE.read_text("utf-8") == text, "docs/api.md is not what the code says; write it with WRITE_GOLDEN=1"

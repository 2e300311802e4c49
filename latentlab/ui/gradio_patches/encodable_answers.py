"""Gradio's stream of answers breaks at text that has no UTF-8: half of a pair of surrogates in a name is enough.

Gradio (4.44.1 to 6.31, not yet 4.0) writes answers with orjson, which refuses such text after the stream has begun: no
answer comes, and none to what is asked later. Here each such half leaves as U+FFFD, the sign of what cannot be shown,
and a pair as the letter that it stands for. All that Gradio's routes write goes through `dump_encodable`.
"""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import orjson


def replace_surrogates(value: Any) -> Any:
    """Return a JSON value with each text as one that can be encoded."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {replace_surrogates(key): replace_surrogates(item) for key, item in value.items()}
    return [replace_surrogates(item) for item in value] if isinstance(value, list | tuple) else value


def dump_encodable(value: Any, *arguments: Any, **options: Any) -> bytes:
    """Write a value as `orjson.dumps` does, also one with text that has no UTF-8."""
    try:
        return orjson.dumps(value, *arguments, **options)
    except orjson.JSONEncodeError:
        return orjson.dumps(replace_surrogates(value), *arguments, **options)


def mend_answers() -> None:
    """Let Gradio's routes, once they are imported, write all their JSON by `dump_encodable`."""
    vars(sys.modules["gradio.routes"])["orjson"] = SimpleNamespace(**{**vars(orjson), "dumps": dump_encodable})

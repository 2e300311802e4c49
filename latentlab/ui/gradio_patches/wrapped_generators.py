"""Gradio does not see that a function is a generator where a decorator has wrapped it.

Gradio (to 6.31) asks `inspect.isgeneratorfunction` of the wrapper, though `functools.wraps` names what is inside. A
type checker at run time wraps every function, and the steps of the event are then lost.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any


def unwrap_generator(generator: Callable[..., Any]) -> Callable[..., Any]:
    """Return the generator without its wrappers."""
    return inspect.unwrap(generator)

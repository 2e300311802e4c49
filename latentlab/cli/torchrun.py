"""This module holds what a verb must know of torchrun before torch is imported."""

from __future__ import annotations

import os


def is_first_process() -> bool:
    """Say whether this is the first of several processes, which speaks for all."""
    return os.environ.get("RANK", "0") == "0"

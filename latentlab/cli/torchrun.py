"""What a verb must know of torchrun before torch is imported."""

from __future__ import annotations

import os


def speaks() -> bool:
    """Of several processes the first one speaks for all."""
    return os.environ.get("RANK", "0") == "0"

"""What must not change, as files. WRITE_GOLDEN=1 writes them anew, for a change that is meant and that is said."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parent / "files"


@pytest.fixture
def golden() -> Callable[[str, Any], None]:
    """Compare a value with the file of this name."""

    def compare(name: str, value: Any) -> None:
        path = FOLDER / f"{name}.json"
        if os.environ.get("WRITE_GOLDEN") == "1":
            path.write_text(json.dumps(value, indent=1, ensure_ascii=False, sort_keys=True) + "\n", "utf-8")
        assert json.loads(json.dumps(value)) == json.loads(path.read_text("utf-8"))

    return compare

"""A header is checked before anything is allocated for it."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from latentlab.errors import UserError
from latentlab.models import safetensors_header as headers


def test_a_header_bomb_is_refused_before_it_is_read(tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.safetensors"
    with bomb.open("wb") as file:
        file.write(struct.pack("<Q", 99_000_000))
        file.truncate(100_000_000)
    with pytest.raises(UserError, match="94 MiB"):
        headers.read_header(bomb)

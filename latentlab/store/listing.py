"""What lies on the disk to be loaded: checkpoints of a folder, and what runs have learned."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from latentlab import models
from latentlab.errors import UserError
from latentlab.models import Card
from latentlab.runs.layout import RESULT_FILE, RUN_CHECKPOINT_NAME, name_run_checkpoint

CHECKPOINT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,63}")


@dataclass(frozen=True)
class CheckpointEntry:
    """One file as it was when it was listed."""

    path: Path
    stamp: tuple[int, int]  # time of change in ns, bytes
    card: Card


def list_run_checkpoints(runs: Path | None) -> dict[str, Path]:
    """List what the runs have learned so far, by its name in the store."""
    folders = sorted(runs.glob("*")) if runs else []
    found = {name_run_checkpoint(folder): folder / RESULT_FILE for folder in folders if not folder.is_symlink()}
    return {name: path for name, path in found.items() if RUN_CHECKPOINT_NAME.fullmatch(name) and path.is_file()}


def read_stamps(paths: Mapping[str, Path]) -> dict[str, tuple[int, int]]:
    """Return time of change and size of those that are there."""
    found = {}
    for name, path in paths.items():
        with suppress(FileNotFoundError):
            found[name] = _read_stamp(path)
    return found


def _read_stamp(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_mtime_ns, status.st_size


def list_checkpoints(paths: Mapping[str, Path]) -> tuple[dict[str, CheckpointEntry], dict[str, str]]:
    """List the checkpoints that can be read, and why the others cannot."""
    entries, broken = {}, {}
    for name, path in paths.items():
        try:
            stamp, card = _read_stamp(path), models.read_card(path)
            if card.kind not in models.NETWORK_CLASSES or not CHECKPOINT_NAME.fullmatch(name):
                raise UserError(
                    f"{path.name} holds a {card.kind[:40]!r}; LatentLab knows {', '.join(models.NETWORK_CLASSES)}."
                )
            entries[name] = CheckpointEntry(path, stamp, card)
        except UserError as error:
            broken[name] = str(error)
        except OSError as error:
            broken[name] = f"{path.name} cannot be read: {error.strerror}."
    return entries, broken

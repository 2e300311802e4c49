"""What lies on the disk to be loaded: checkpoints of a folder, and what runs have learned."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from latentlab import models
from latentlab.errors import UserError
from latentlab.models import Card
from latentlab.models.kinds import list_stored_kinds
from latentlab.runs.layout import RESULT_FILE, RUN_CHECKPOINT_NAME, name_run_checkpoint, read_fitted_kind
from latentlab.types import ImageShape

CHECKPOINT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,63}")


@dataclass(frozen=True)
class CheckpointEntry:
    """One file as it was when it was listed."""

    path: Path
    stamp: tuple[int, int]  # time of change in ns, bytes
    card: Card


def list_run_checkpoints(runs: Path | None, taken: Collection[str] = ()) -> dict[str, Path]:
    """List what the runs have learned so far, by its name in the store.

    The newest fit of its kind is called `WORLD-KIND`, as a shipped network is, unless that name is taken.
    """
    folders = sorted(runs.glob("*"), reverse=True) if runs else []
    found: dict[str, Path] = {}
    for folder in folders:
        name = name_run_checkpoint(folder)
        if folder.is_symlink() or not RUN_CHECKPOINT_NAME.fullmatch(name) or not (folder / RESULT_FILE).is_file():
            continue
        fitted = read_fitted_kind(folder)
        plain = f"{fitted[0]}-{fitted[1]}" if fitted else name
        found[name if plain in found or plain in taken else plain] = folder / RESULT_FILE
    return dict(reversed(found.items()))


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


def list_checkpoints(
    paths: Mapping[str, Path], known_shapes: Mapping[str, ImageShape]
) -> tuple[dict[str, CheckpointEntry], dict[str, str]]:
    """List the checkpoints that can be read, and why the others cannot; of some worlds the shape is known."""
    entries, broken = {}, {}
    for name, path in paths.items():
        try:
            stamp, card = _read_stamp(path), models.read_card(path)
            if card.kind not in list_stored_kinds() or not CHECKPOINT_NAME.fullmatch(name):
                raise UserError(
                    f"{path.name} holds a {card.kind[:40]!r}; LatentLab knows {', '.join(list_stored_kinds())}."
                )
            entries[name] = CheckpointEntry(path, stamp, card)
        except UserError as error:
            broken[name] = str(error)
        except OSError as error:
            broken[name] = f"{path.name} cannot be read: {error.strerror}."
    return _agree_on_shapes(entries, broken, known_shapes)


def infer_world(name: str, card: Card) -> str:
    """Return the data set that the card names; where it names none, what stands before the first dash."""
    return card.data if CHECKPOINT_NAME.fullmatch(card.data) else name.partition("-")[0]


def _agree_on_shapes(
    entries: dict[str, CheckpointEntry], broken: dict[str, str], known_shapes: Mapping[str, ImageShape]
) -> tuple[dict[str, CheckpointEntry], dict[str, str]]:
    """Keep of each world the checkpoints whose images have its shape, or that of most of them; the others say why
    not.
    """
    shapes: dict[str, Counter[ImageShape]] = defaultdict(Counter)
    for name, entry in entries.items():
        shapes[infer_world(name, entry.card)][entry.card.image_shape] += 1
    agreed = {world: max(counts, key=lambda s: (counts[s], math.prod(s))) for world, counts in shapes.items()}
    agreed |= known_shapes
    kept = {}
    for name, entry in entries.items():
        world, shape = infer_world(name, entry.card), entry.card.image_shape
        if shape == agreed[world]:
            kept[name] = entry
        else:
            broken[name] = (
                f"{entry.path.name} is for images of {list(shape)}, the world {world[:60]} "
                f"has {list(agreed[world])}; name another world in `--data`, or fit it at that size."
            )
    return kept, broken

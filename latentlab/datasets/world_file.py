"""A world that somebody has made of pictures: one `.npz` in the data folder, which is its registration too.

It holds the arrays of any `.npz` of a world and its title; its pictures stay as they are, whatever their size.
"""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from latentlab.datasets.digits import DIGITS_VARIANTS
from latentlab.datasets.known_worlds import WORLD_NAMES, find_data_folder
from latentlab.errors import UserError
from latentlab.types import ImageShape
from latentlab.untrusted import is_plain_text

WORLD_SLUG = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
MAX_TITLE_LETTERS, MAX_SLUG_LETTERS = 60, 40
TITLE_ENTRY = "title.npy"  # of the archive: what distinguishes it from arrays of another origin


@dataclass(frozen=True)
class WorldHead:
    """What a world's file says before its pictures are read."""

    title: str
    image_shape: ImageShape
    stamp: tuple[int, int]  # time of change in ns, bytes


def make_slug(title: str) -> str:
    """Make the title a name for files and addresses: its letters of ASCII, else a digest of it."""
    if not title.strip() or not is_plain_text(title, MAX_TITLE_LETTERS) or not title.isprintable():
        raise UserError(f"A world's name is 1 to {MAX_TITLE_LETTERS} letters that can be printed; choose another.")
    plain = unicodedata.normalize("NFKD", title.strip()).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9_]+", "-", plain).strip("-_")[:MAX_SLUG_LETTERS]
    slug = slug or f"world-{hashlib.sha256(title.strip().encode()).hexdigest()[:6]}"
    if slug in {*WORLD_NAMES, *DIGITS_VARIANTS}:
        raise UserError(f"{slug} is a world of LatentLab's own; choose another --name.")
    return slug


def write_world_file(path: Path, **arrays: np.ndarray) -> None:
    """Write atomically: a reader sees the old file or the new one."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            np.savez(file, **arrays)  # pyright: ignore[reportArgumentType]
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise UserError(f"{path} cannot be written: {error.strerror}. Make room, or set LATENTLAB_DATA.") from error


def list_world_files(folder: Path | None = None) -> dict[str, Path]:
    """List the files of the data folder that may be worlds, by the world's name."""
    files = sorted(find_data_folder(folder).glob("*.npz"))
    return {file.stem: file for file in files if WORLD_SLUG.fullmatch(file.stem) and file.stem not in WORLD_NAMES}


def read_world_head(path: Path) -> WorldHead | None:
    """Read the head of a world that was made here; None of any other file."""
    try:
        status = path.stat()
        with zipfile.ZipFile(path) as archive:
            if TITLE_ENTRY not in archive.namelist():
                return None
            with archive.open(TITLE_ENTRY) as file:
                title = str(np.lib.format.read_array(file, allow_pickle=False))
            with archive.open("train_x.npy") as file:
                np.lib.format.read_magic(file)
                (_, height, width, channels), _, _ = np.lib.format.read_array_header_1_0(file)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        return None
    return WorldHead(title, (channels, height, width), (status.st_mtime_ns, status.st_size))

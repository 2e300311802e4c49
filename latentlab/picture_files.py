"""Folders of pictures: which files are pictures, what only lies beside them, and the one reader for all of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from latentlab.errors import UserError
from latentlab.image_file import PILLOW_ERRORS
from latentlab.images import read

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".avif", ".mpo")
STRANGER_PREFIXES = (
    ".",
    "__",
    "@",
    "$",
)  # .git, .ipynb_checkpoints, ._a.png, __MACOSX, __pycache__, @eaDir, $RECYCLE.BIN
GREY_MODES = ("1", "L", "I", "I;16", "I;16B", "F")


@dataclass(frozen=True)
class PictureFiles:
    """The pictures below a folder, relative to it and in order, and how many other files lie there."""

    files: tuple[Path, ...]
    strangers: int


@dataclass(frozen=True)
class PictureHead:
    width: int
    height: int
    is_grey: bool


def list_picture_files(folder: Path) -> PictureFiles:
    """Walk through the folder; hidden files, and those that systems and programs leave behind, are strangers."""
    found = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    files = tuple(path for path in found if _is_picture(path))
    return PictureFiles(files, len(found) - len(files))


def list_class_folders(folder: Path) -> tuple[str, ...]:
    return tuple(sorted(path.name for path in folder.iterdir() if path.is_dir() and not is_stranger(path.name)))


def read_picture_file(path: Path) -> Image.Image:
    """Read a file as an upload is read: upright 8-bit RGB."""
    try:
        return read(path.read_bytes())
    except (UserError, OSError) as error:
        raise UserError(f"{path}: {error} Remove it or save it again.") from error


def read_picture_head(path: Path) -> PictureHead | None:
    """Return what the file says of itself, without decoding a pixel; None where it does not."""
    try:
        with Image.open(path) as image:
            return PictureHead(*image.size, image.mode in GREY_MODES)
    except (*PILLOW_ERRORS, Image.DecompressionBombError):
        return None


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in PICTURE_SUFFIXES and not any(is_stranger(part) for part in path.parts)


def is_stranger(name: str) -> bool:
    """Say whether systems and programs leave such a file or folder behind, beside what people put there."""
    return name.startswith(STRANGER_PREFIXES)

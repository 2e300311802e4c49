"""Files that a stranger has sent become a folder of pictures: copied under plain names, archives unpacked.

Nothing but pictures and tables of labels is taken, nothing is written outside of the folder, and all of it together has
a limit: what an archive says of its own size is not believed.
"""

from __future__ import annotations

import shutil
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from io import BufferedIOBase
from pathlib import Path, PurePosixPath
from typing import cast

from latentlab.datasets.label_tables import TABLE_SUFFIXES
from latentlab.errors import UserError
from latentlab.image_file import MAX_IMAGE_BYTES
from latentlab.picture_files import PICTURE_SUFFIXES, is_stranger
from latentlab.untrusted import is_plain_text, show_value

MAX_DROPPED_FILES = 50_000
MAX_DROPPED_BYTES = 1_000_000_000
MAX_PATH_PARTS, MAX_NAME_LETTERS = 8, 100
COPY_BYTES = 2**16
ZIP_ERRORS = (zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError, EOFError, ValueError, LookupError)


@dataclass
class DroppedFolder:
    """A folder that fills with what is dropped; `skipped` counts what was neither picture nor table."""

    path: Path
    files: int = 0
    size: int = 0  # bytes
    skipped: int = 0

    def add_files(self, paths: Iterable[Path]) -> None:
        """Take these files in, those of a zip one by one."""
        for path in paths:
            if path.suffix.lower() == ".zip":
                self._unpack_archive(path)
            else:
                with path.open("rb") as file:
                    self._take_file(PurePosixPath(path.name), file)

    def _unpack_archive(self, path: Path) -> None:
        try:
            with zipfile.ZipFile(path) as archive:
                for entry in archive.infolist():
                    if not entry.is_dir():
                        with cast("BufferedIOBase", archive.open(entry)) as file:
                            self._take_file(PurePosixPath(entry.filename.replace("\\", "/")), file)
        except ZIP_ERRORS as error:
            told = show_value(error, 80) or type(error).__name__
            raise UserError(
                f"{show_value(path.name, 60)} cannot be unpacked ({told}); zip the folder again."
            ) from error

    def _take_file(self, name: PurePosixPath, file: BufferedIOBase) -> None:
        if name.suffix.lower() not in (*PICTURE_SUFFIXES, *TABLE_SUFFIXES) or any(map(is_stranger, name.parts)):
            self.skipped += 1
            return
        if self.files >= MAX_DROPPED_FILES:
            raise UserError(f"More than {MAX_DROPPED_FILES:,} files are too many here; use `latentlab world FOLDER`.")
        place = self.path.joinpath(*_check_parts(name))
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            with place.open("wb") as out:
                self.size += _copy_bytes(file, out, min(MAX_IMAGE_BYTES, MAX_DROPPED_BYTES - self.size), name)
        except (FileExistsError, IsADirectoryError, NotADirectoryError) as error:
            raise UserError(f"{show_value(name, 60)} is both a file and a folder; rename one of them.") from error
        self.files += 1

    def find_picture_folder(self) -> Path:
        """Return the folder of the pictures: a zip holds it inside of one or two that hold nothing else."""
        folder = self.path
        while len(inside := list(folder.iterdir())) == 1 and inside[0].is_dir():
            folder = inside[0]
        return folder

    def find_loose_table(self) -> Path | None:
        """Return the table of labels that lies beside the pictures, whatever it is called, if it is the only one."""
        tables = [path for path in self.find_picture_folder().iterdir() if path.suffix.lower() in TABLE_SUFFIXES]
        return tables[0] if len(tables) == 1 else None


def _check_parts(name: PurePosixPath) -> Sequence[str]:
    """Return the parts of the path if each of them may be a file's name."""
    parts = name.parts
    if (
        name.is_absolute()
        or ".." in parts
        or len(parts) > MAX_PATH_PARTS
        or not all(is_plain_text(part, MAX_NAME_LETTERS) and part.isprintable() and ":" not in part for part in parts)
    ):
        raise UserError(f"The file name {show_value(name, 60)} cannot be used; rename it, or zip the folder anew.")
    return parts


def _copy_bytes(source: BufferedIOBase, out: BufferedIOBase, most: int, name: PurePosixPath) -> int:
    """Copy at most so many bytes and return how many there were."""
    copied = 0
    while piece := source.read(COPY_BYTES):
        copied += len(piece)
        if copied > most:
            raise UserError(
                f"{show_value(name, 60)} is too large: a picture has at most {MAX_IMAGE_BYTES / 1e6:.0f} MB, all "
                f"together {MAX_DROPPED_BYTES / 1e6:,.0f} MB; use `latentlab world FOLDER` for more."
            )
        out.write(piece)
    return copied


def delete_dropped_folder(folder: DroppedFolder) -> None:
    shutil.rmtree(folder.path, ignore_errors=True)

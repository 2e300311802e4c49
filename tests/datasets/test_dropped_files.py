"""What strangers drop in: an archive writes nothing outside of its folder, and its headers are not believed."""

from __future__ import annotations

import io
import zipfile
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from latentlab.datasets import dropped_files
from latentlab.datasets.dropped_files import DroppedFolder
from latentlab.datasets.labelled_pictures import collect_pictures
from latentlab.errors import UserError


def encode_picture(level: int = 0) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.full((40, 40, 3), level, np.uint8)).save(file, "PNG")
    return file.getvalue()


def write_zip(path: Path, entries: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return path


@pytest.fixture
def drop(tmp_path: Path) -> DroppedFolder:
    (tmp_path / "drop").mkdir()
    return DroppedFolder(tmp_path / "drop")


def test_a_zip_of_folders_is_a_folder_per_class(tmp_path: Path, drop: DroppedFolder) -> None:
    entries = {f"my things/{kind}/{n}.png": encode_picture(n) for kind in ("cat", "船") for n in range(5)}
    noise = {"my things/notes.docx": b"x", "__MACOSX/my things/._a.png": b"x", "my things/cat/.hidden.png": b"x"}
    drop.add_files([write_zip(tmp_path / "a.zip", entries | noise)])
    found = collect_pictures(drop.find_picture_folder(), drop.find_loose_table())
    assert (drop.files, drop.skipped, found.classes) == (10, 3, ("cat", "船"))
    assert drop.size == sum(map(len, entries.values()))


def test_pictures_and_a_table_come_one_after_the_other(tmp_path: Path, drop: DroppedFolder) -> None:
    for n in range(4):
        (tmp_path / f"{n}.png").write_bytes(encode_picture(n))
    (tmp_path / "labels.csv").write_text("file,class\n0.png,odd\n1.png,even\n2.png,odd\n3.png,even\n")
    drop.add_files([tmp_path / f"{n}.png" for n in range(2)])
    drop.add_files([tmp_path / "2.png", tmp_path / "3.png", tmp_path / "labels.csv"])
    found = collect_pictures(drop.find_picture_folder(), drop.find_loose_table())
    assert found.classes == ("even", "odd")
    assert [p.label for p in found.pictures] == [1, 0, 1, 0]


@pytest.mark.parametrize(
    "name",
    ["../outside.png", "/outside.png", "a/../../outside.png", "..\\outside.png", "c:\\outside.png", "x" * 150 + ".png"],
)
def test_nothing_is_written_outside(tmp_path: Path, drop: DroppedFolder, name: str) -> None:
    archive = write_zip(tmp_path / "a.zip", {name: encode_picture()})
    with suppress(UserError):  # or left out as a stranger
        drop.add_files([archive])
    assert drop.files == 0
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a.zip", "drop"]


def test_a_file_that_is_a_folder_too_is_refused(tmp_path: Path, drop: DroppedFolder) -> None:
    with pytest.raises(UserError, match="both"):
        drop.add_files([write_zip(tmp_path / "a.zip", {"a.png": b"x", "a.png/b.png": b"x"})])


def test_what_a_zip_says_of_its_size_is_not_believed(
    tmp_path: Path, drop: DroppedFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dropped_files, "MAX_DROPPED_BYTES", 1_000_000)
    bomb = write_zip(tmp_path / "bomb.zip", {"a.png": bytes(900_000), "b.png": bytes(900_000)})
    assert bomb.stat().st_size < 5000
    with pytest.raises(UserError, match="too large"):
        drop.add_files([bomb])
    assert sum(path.stat().st_size for path in drop.path.iterdir()) < 1_000_000 + dropped_files.COPY_BYTES


def test_too_many_files_are_refused(tmp_path: Path, drop: DroppedFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dropped_files, "MAX_DROPPED_FILES", 3)
    with pytest.raises(UserError, match="too many"):
        drop.add_files([write_zip(tmp_path / "a.zip", {f"{n}.png": b"x" for n in range(4)})])


@pytest.mark.parametrize("spoil", ["no zip", "cut", "damaged", "locked"])
def test_a_damaged_zip_is_one_line(tmp_path: Path, drop: DroppedFolder, spoil: str) -> None:
    path = write_zip(tmp_path / "a.zip", {"a.png": encode_picture() * 20})
    data = bytearray(path.read_bytes())
    match spoil:
        case "no zip":
            data = bytearray(b"not an archive")
        case "cut":
            data = data[: len(data) // 2]
        case "damaged":
            data[60:80] = bytes(20)
        case "locked":
            data[6] |= 1  # the flag of an encrypted entry, here
            data[data.index(b"PK\x01\x02") + 8] |= 1  # and in the directory
    path.write_bytes(data)
    with pytest.raises(UserError, match=r"cannot be unpacked"):
        drop.add_files([path])

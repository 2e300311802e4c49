"""Labels of pictures on the disk: from folders, tables and Hugging Face's layout; what is left out is said."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from latentlab.datasets.labelled_pictures import PictureCollection, collect_pictures
from latentlab.errors import UserError


def put_pictures(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8)).save(folder / name)
    return folder


def name_labels(collection: PictureCollection) -> dict[str, str]:
    """Of each file the class that the collection gives it."""
    return {p.path.name: collection.classes[p.label] for p in collection.pictures if isinstance(p.label, int)}


def test_folders_are_classes_and_strangers_are_none(tmp_path: Path) -> None:
    put_pictures(tmp_path, "cat/a.png", "cat/b.png", "dog/c.png", "__MACOSX/cat/._a.png", "loose.png")
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_text("x")
    found = collect_pictures(tmp_path)
    assert found.classes == ("cat", "dog")
    assert name_labels(found) == {"a.png": "cat", "b.png": "cat", "c.png": "dog"}
    assert found.strangers == 2
    assert "1 pictures lie beside the folders of classes and are left out" in found.notes
    assert "'empty' has no picture and is no class" in found.notes
    assert "'dog' has no test picture" in found.notes


def test_a_tenth_of_each_class_is_held_out_whatever_the_folder_is_called(tmp_path: Path) -> None:
    names = [f"{label}/{n}.png" for label in ("cat", "dog") for n in range(20)]
    one, other = (collect_pictures(put_pictures(tmp_path / name, *names)) for name in ("one", "other"))
    held = [sorted(p.path.name for p in found.select_half("test")) for found in (one, other)]
    assert held[0] == held[1]
    assert [sum(p.label == k for p in one.select_half("test")) for k in (0, 1)] == [2, 2]


def test_halves_are_taken_from_folders(tmp_path: Path) -> None:
    put_pictures(tmp_path, "train/cat/a.png", "train/dog/b.png", "validation/cat/c.png", "test/dog/d.png")
    found = collect_pictures(tmp_path)
    assert {p.path.name: p.half for p in found.pictures} == {
        "a.png": "train",
        "b.png": "train",
        "c.png": "train",
        "d.png": "test",
    }
    assert "'cat' has no test picture" in found.notes


@pytest.mark.parametrize("names", [("a.png", "b.png", "c.png", "d.png"), ("all/a.png", "all/b.png", "all/c.png")])
def test_pictures_without_classes(tmp_path: Path, names: tuple[str, ...]) -> None:
    found = collect_pictures(put_pictures(tmp_path, *names))
    assert found.classes == ()
    assert {p.label for p in found.pictures} == {0}
    assert len(found.select_half("test")) == 2


@pytest.mark.parametrize("text", ["file,class\na.png,10\nb.png,9\n", "file;class;other\na.png;10;x\nb.png;9;y\n"])
def test_a_table_of_classes(tmp_path: Path, text: str) -> None:
    (tmp_path / "labels.csv").write_text(text)
    found = collect_pictures(put_pictures(tmp_path, "a.png", "b.png", "c.png"), tmp_path / "labels.csv")
    assert found.classes == ("9", "10")  # numbers in their order
    assert name_labels(found) == {"a.png": "10", "b.png": "9"}
    assert "1 pictures stand in no row of the table and are left out" in found.notes


def test_a_table_of_attributes_as_celeba_writes_them(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("image_id,Smiling,Young\na.png,1,-1\nb.png,-1,-1\n")
    found = collect_pictures(put_pictures(tmp_path, "a.png", "b.png"), tmp_path / "labels.csv")
    assert (found.classes, found.multilabel) == (("Smiling", "Young"), True)
    assert {p.path.name: p.label for p in found.pictures} == {"a.png": (1, 0), "b.png": (0, 0)}


def test_metadata_as_hugging_face_lays_it(tmp_path: Path) -> None:
    put_pictures(tmp_path, "train/x/a.png", "train/b.png", "test/c.png")
    (tmp_path / "train" / "metadata.jsonl").write_text(
        '{"file_name": "x/a.png", "label": "cat", "text": "t"}\n{"file_name": "b.png", "label": "dog", "text": "u"}\n'
    )
    (tmp_path / "test" / "metadata.csv").write_text("file_name,label,text\nc.png,cat,v\n")
    found = collect_pictures(tmp_path)
    assert name_labels(found) == {"a.png": "cat", "b.png": "dog", "c.png": "cat"}
    assert [p.path.name for p in found.select_half("test")] == ["c.png"]
    assert "the columns text of the table are not used" in found.notes


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("file,class\n../../secret.png,cat\n", "outside"),
        ("file,a,b\na.png,x,y\n", "name the column"),
        ("file,class\na.png\n", "shorter"),
        ("file,class\n", "no row"),
        ("file,class\na.png,cat\n", "at least 2 pictures"),
    ],
)
def test_a_table_that_is_none(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "labels.csv").write_text(text)
    with pytest.raises(UserError, match=says):
        collect_pictures(put_pictures(tmp_path, "a.png", "b.png"), tmp_path / "labels.csv")


def test_parquet_is_read_or_says_what_is_missing(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    put_pictures(tmp_path, "a.png", "b.png", "c.png")
    table = pandas.DataFrame({"file": ["a.png", "b.png", "c.png"], "class": ["cat", "dog", None]})
    try:
        table.to_parquet(tmp_path / "t.parquet")
    except ImportError:
        (tmp_path / "t.parquet").write_bytes(b"PAR1")
        with pytest.raises(UserError, match="pip install pyarrow"):
            collect_pictures(tmp_path, tmp_path / "t.parquet")
    else:
        found = collect_pictures(tmp_path, tmp_path / "t.parquet")
        assert (found.classes, len(found.pictures)) == (("cat", "dog"), 2)

"""Contact sheets: their rows, their size, what is on them without data."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image

from latentlab import datasets, models, sheets
from latentlab.cli import main
from latentlab.sheets import LABEL_MARGIN, SHEET_COLUMNS, TILE_PIXELS
from latentlab.types import Images

WIDTH = LABEL_MARGIN + SHEET_COLUMNS * TILE_PIXELS


@pytest.fixture(scope="module")
def originals() -> Images:
    return datasets.load_world("digits").test.take_batch(slice(0, SHEET_COLUMNS))[0]


@pytest.mark.parametrize(("kind", "rows", "rows_without"), [("glow", 9, 7), ("vae", 7, 5), ("stylegan2", 9, 7)])
def test_rows(kind: str, rows: int, rows_without: int, small_world: Path, originals: Images) -> None:
    _, model = models.load_network(small_world / f"digits-{kind}.safetensors")
    sheet, bare = sheets.draw_sheet(model, originals), sheets.draw_sheet(model)
    assert sheet.shape == (3, rows * TILE_PIXELS, WIDTH)
    assert bare.shape == (3, rows_without * TILE_PIXELS, WIDTH)
    assert sheet.min() >= 0
    assert sheet.max() <= 1
    assert torch.equal(sheet, sheets.draw_sheet(model, originals))


def test_originals_stand_above_what_a_flow_rebuilds(small_world: Path, originals: Images) -> None:
    sheet = sheets.draw_sheet(models.load_network(small_world / "digits-glow.safetensors")[1], originals)
    shown, rebuilt = (sheet[:, row * TILE_PIXELS : (row + 1) * TILE_PIXELS, LABEL_MARGIN:] for row in (2, 3))
    first = shown[:, ::2, ::2][:, :, : TILE_PIXELS // 2]
    assert torch.equal(first, originals[0])
    assert torch.allclose(shown, rebuilt, atol=1e-4)


def test_interpolation_goes_from_the_first_to_the_last(small_world: Path, originals: Images) -> None:
    sheet = sheets.draw_sheet(models.load_network(small_world / "digits-glow.safetensors")[1], originals)
    shown, between = (sheet[:, row * TILE_PIXELS : (row + 1) * TILE_PIXELS, LABEL_MARGIN:] for row in (2, 4))
    for end in (slice(0, TILE_PIXELS), slice(-TILE_PIXELS, None)):
        assert torch.allclose(shown[..., end], between[..., end], atol=1e-3)


def test_a_few_originals_leave_white(small_world: Path, originals: Images) -> None:
    sheet = sheets.draw_sheet(models.load_network(small_world / "digits-glow.safetensors")[1], originals[:3])
    assert sheet.shape[2] == WIDTH
    assert bool((sheet[:, 2 * TILE_PIXELS : 3 * TILE_PIXELS, LABEL_MARGIN + 3 * TILE_PIXELS :] == 1).all())


def test_every_latent_model_gets_a_sheet(small_world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "deep" / "sheets"
    assert main(["list", "--checkpoints", str(small_world), "--sheet", str(out)]) == 0
    names = [f"digits-{kind}.png" for kind in ("glow", "stylegan2", "vae")]
    assert sorted(path.name for path in out.iterdir()) == names
    assert capsys.readouterr().out.split() == [str(out / name) for name in names]
    with Image.open(io.BytesIO((out / names[0]).read_bytes())) as picture:
        assert (picture.format, picture.mode, picture.size) == ("PNG", "RGB", (WIDTH, 9 * TILE_PIXELS))


def test_missing_data_is_said_and_the_sheet_is_drawn(
    small_world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LATENTLAB_DATA", str(tmp_path))
    card, model = models.load_network(small_world / "digits-vae.safetensors")
    models.save_network(tmp_path / "nets" / "moon-vae.safetensors", model, replace(card, data="moon"))
    assert main(["list", "--checkpoints", str(tmp_path / "nets"), "--sheet", str(tmp_path)]) == 0
    assert "no originals on the sheets of moon" in capsys.readouterr().err
    assert (tmp_path / "moon-vae.png").exists()

"""The shipped cards tell the truth; what would take minutes is measured on fewer images."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from repository import CHECKPOINTS
from torch import Tensor

from latentlab import datasets, models
from latentlab.evaluation import CardFigure, evaluate_checkpoint
from latentlab.judges import find_borrowed_classifiers, list_judges
from latentlab.models import Glow, SpatialStyleGAN2, StyleGAN2
from latentlab.training import scores

SHIPPED = {path.stem: models.read_card(path) for path in sorted(CHECKPOINTS.glob("*.safetensors"))}
LONG = [name for name, card in SHIPPED.items() if card.kind in ("glow", "stylegan2") and card.data != "digits"]
QUICK = [name for name in SHIPPED if name.startswith("digits-") and name != "digits-stylegan2"]
SLOW = [name for name in SHIPPED if name not in LONG + QUICK]
REAL = [pytest.mark.slow, pytest.mark.data]
SIGMAS = 4.0  # standard errors between the mean of the first few images and the card's, of all


@pytest.fixture(autouse=True)
def there(name: str, real_data: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """The card's data."""
    if not name.startswith("digits-"):
        monkeypatch.setenv("LATENTLAB_DATA", str(real_data(SHIPPED[name].data)))


@pytest.mark.parametrize("name", [*QUICK, *(pytest.param(name, marks=REAL) for name in SLOW)])
def test_a_card_agrees(name: str, tmp_path: Path) -> None:
    """A copy; of the classifiers that were beside it only the judge that its card speaks of, if it does."""
    copy = Path(shutil.copy(CHECKPOINTS / f"{name}.safetensors", tmp_path))
    judges = list_judges(SHIPPED[name].data, find_borrowed_classifiers(SHIPPED[name]))
    if "kept" in SHIPPED[name].scores and (judge := next((j for j in judges if j in SHIPPED), "")):
        shutil.copy(CHECKPOINTS / f"{judge}.safetensors", tmp_path)
    found = evaluate_checkpoint(copy)
    assert found.figures
    assert all(figure.card is not None for figure in found.figures), "the fit has not written its scores yet"
    assert not found.wrong_figures


@pytest.mark.parametrize("name", [pytest.param(name, marks=REAL) for name in LONG])
def test_a_card_agrees_on_fewer_images(name: str) -> None:
    """`latentlab evaluate` takes all 10,000 of a flow, and all 32 that a StyleGAN2 optimises, a hundred steps each."""
    card, network = models.load_network(CHECKPOINTS / f"{name}.safetensors")
    world = datasets.load_world(card.data)
    if isinstance(network, Glow):
        assert near(scores.measure_bits(network, world, 400), card.scores["bits/dim"])
        worst = scores.measure_round_trip(network, world, 200).max().item()
        assert CardFigure("round trip", card.scores["round trip"], worst).agrees
    else:
        assert isinstance(network, StyleGAN2 | SpatialStyleGAN2)
        whole = scores.measure_rebuilding(network, world, 256).mean().item()
        assert CardFigure("PSNR", card.scores["PSNR"], whole).agrees
        assert near(scores.measure_refinement(network, world, 8), card.scores["PSNR after 100 steps"])


def near(values: Tensor, card: float) -> bool:
    """A card that is wrong by a tenth would be noticed."""
    error = values.std().item() / math.sqrt(len(values))
    assert SIGMAS * error < 0.1 * card, "too few images to tell"
    return abs(values.mean().item() - card) < SIGMAS * error

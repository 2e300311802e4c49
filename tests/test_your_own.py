"""docs/your-own.md: every line of it is run, with small stand-ins for what is somebody's own."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from repository import ROOT
from torch import Tensor, nn

import latentlab as ll
from latentlab import datasets
from latentlab.cli import main
from latentlab.recipe import Recipe
from latentlab.types import DensityModel

PAGE = (ROOT / "docs" / "your-own.md").read_text("utf-8")


def list_blocks(section: str, language: str) -> list[str]:
    text = PAGE.partition(f"## {section}\n")[2].partition("\n## ")[0]
    found = re.findall(rf"```{language}\n(.*?)```", text, re.S)
    assert found
    return found


def run_blocks(section: str, names: dict[str, Any]) -> dict[str, Any]:
    for block in list_blocks(section, "python"):
        exec(compile(block, f"docs/your-own.md, {section}", "exec"), names)
    return names


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_world: Path) -> Path:
    """A folder to work in, with networks of the digits."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LATENTLAB_CHECKPOINTS", str(small_world))
    return tmp_path


@pytest.fixture(scope="module")
def pictures() -> Tensor:
    return datasets.load_world("digits").train.take_batch(slice(0, 60))[0]


def test_my_photos(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LATENTLAB_DATA", str(place / "data"))
    for n in range(24):
        path = place / "my photos" / ("cat" if n % 2 else "dog") / f"{n}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (60, 40), (10 * n, 80, 0)).save(path)
    rows = "".join(f"{'cat' if n % 2 else 'dog'}/{n}.png,{n % 2},{int(n > 11)}\n" for n in range(24))
    (place / "labels.csv").write_text(f"file,striped,large\n{rows}")
    for line in "".join(list_blocks("My photos", "sh")).strip().splitlines():
        fitting = ["--minutes", "0.001", "--checkpoints", str(place / "nets")] if "--fit" in line else []
        assert main([*shlex.split(line)[1:], *fitting]) == 0
    assert datasets.load_world("by-table").classes == ("striped", "large")
    store = ll.Store(place / "nets", "cpu")
    assert store.list_models("my-photos") == ["my-photos-vae", "my-photos-pixels"]
    assert store.list_classifiers("my-photos") == ["my-photos-resnet"]


class AnswersMuch(nn.Module):
    def forward(self, images: Tensor) -> dict[str, list[Tensor]]:
        return {"out": [images.mean((2, 3))[:, :2]]}


@pytest.mark.filterwarnings("ignore")
def test_my_classifier() -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(3072, 2))
    names = run_blocks("My classifier", {"ll": ll, "net": net, "answers_much": AnswersMuch()})
    assert names["store"].list_classifiers("digits")[-2:] == ["mine", "dictionary"]
    assert names["store"].load("dictionary")(torch.rand(2, 3, 32, 32)).shape == (2, 2)


class TinyVAE(nn.Module):
    """As VAEs are: encode answers a mean and a logarithm of the variance, pictures are in [−1, 1]."""

    def __init__(self) -> None:
        super().__init__()
        self.into, self.out = nn.Linear(3072, 16), nn.Linear(16, 3072)

    def encode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        mean = self.into(images.flatten(1))
        return mean, torch.zeros_like(mean)

    def decode(self, code: Tensor) -> Tensor:
        return self.out(code).tanh().unflatten(1, (3, 32, 32))


class Affine(nn.Module):
    """z = 2 x − 1 with the verbs of normflows, nflows and FrEIA."""

    def __init__(self) -> None:
        super().__init__()
        self._transform = self

    def transform_to_noise(self, images: Tensor) -> Tensor:
        return 2 * images - 1

    def log_prob(self, images: Tensor) -> Tensor:
        return -(2 * images - 1).square().flatten(1).sum(1) / 2


class NormflowsLike(Affine):
    def inverse(self, images: Tensor) -> Tensor:
        return 2 * images - 1

    def forward(self, z: Tensor) -> Tensor:
        return (z + 1) / 2


class NflowsLike(Affine):
    def inverse(self, z: Tensor) -> tuple[Tensor, Tensor]:
        return (z + 1) / 2, torch.zeros(len(z))


class FrEIALike(nn.Module):
    def forward(self, x: Tensor, rev: bool = False) -> tuple[Tensor, Tensor]:
        return ((x + 1) / 2 if rev else 2 * x - 1), torch.zeros(len(x))


@pytest.mark.filterwarnings("ignore")
def test_my_generator(pictures: Tensor) -> None:
    torch.manual_seed(0)
    generator = nn.Sequential(nn.Linear(16, 192), nn.Sigmoid(), nn.Unflatten(1, (3, 8, 8)))
    whole = nn.Sequential(generator, nn.Upsample(scale_factor=4))
    mine = {"vae": TinyVAE(), "generator": whole, "flow": NormflowsLike(), "nf": NflowsLike(), "inn": FrEIALike()}
    names = run_blocks("My generator", {"ll": ll, "torch": torch, "store": ll.Store(), "pictures": pictures, **mine})
    store = names["store"]
    assert store.list_models("digits")[-5:] == ["my-vae", "my-gan", "normflows", "nflows", "freia"]
    for name in ("normflows", "nflows", "freia"):
        model = store.load(name)
        torch.testing.assert_close(model.decode(model.encode(pictures[:4])), pictures[:4], atol=1e-4, rtol=0)
        assert isinstance(model, DensityModel) == (name != "freia")
    torch.testing.assert_close(store.load("my-vae").encode(pictures).flat.std(0), torch.ones(16), atol=1e-3, rtol=0)


class Trainer:
    training = True


class LightningModule(nn.Module):
    """Has what the example needs of Lightning's."""

    trainer = Trainer()

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(3072, 10))


@pytest.mark.filterwarnings("ignore")
def test_home_again(pictures: Tensor, place: Path) -> None:
    labels = torch.arange(60) % 10
    recipe = Recipe(model="digits-vae", operator="mix", settings={"lam": 0.7})
    (place / "recipe.json").write_text(recipe.to_json(), "utf-8")
    loader = [(pictures[:6], labels[:6]), (pictures[6:12], labels[6:12])]
    net = nn.Sequential(nn.Flatten(), nn.Linear(3072, 10))
    mine = {"net": net, "loader": loader, "pairs": list(zip(pictures, labels, strict=True))}
    names = run_blocks("Home again", {"ll": ll, "torch": torch, "LightningModule": LightningModule, **mine})
    assert names["loss"].isfinite()
    assert names["targets"].shape == (6, 10)
    module = names["Module"]()
    batch = module.on_after_batch_transfer(loader[0], 0)
    assert batch[1].sum(1).tolist() == pytest.approx([1] * 6)
    assert module.training_step(batch, 0).isfinite()

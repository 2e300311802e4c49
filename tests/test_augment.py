"""Augment in a training loop of one's own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from latentlab.augment import Augment
from latentlab.errors import UserError
from latentlab.models import Card, Glow, SmallResNet, save_network
from latentlab.recipe import parse_recipe
from latentlab.store import Store

CLASSES = ("circle", "square", "star")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkpoints")
    shape = (3, 16, 16)
    arguments = {"image_shape": shape, "levels": 2, "steps": 1, "hidden": 8}
    save_network(folder / "toy-glow.safetensors", Glow(**arguments), Card("glow", arguments, shape, "toy", CLASSES))
    arguments = {"image_shape": shape, "classes": list(CLASSES), "widths": [8, 8]}
    save_network(
        folder / "toy-resnet.safetensors", SmallResNet(**arguments), Card("resnet", arguments, shape, "toy", CLASSES)
    )
    return Store(folder, device="cpu")


def recipe(operator: str, model: str = "toy-glow", **settings) -> dict:
    return {
        "version": 1,
        "model": model,
        "classifier": "toy-resnet",
        "operator": operator,
        "settings": settings,
        "seed": 3,
    }


@pytest.fixture(scope="module")
def loader() -> DataLoader:
    rng = torch.Generator().manual_seed(0)
    return DataLoader(TensorDataset(torch.rand(10, 3, 16, 16, generator=rng), torch.arange(10) % 3), batch_size=4)


@pytest.mark.parametrize(
    "operator", ["noise", "adversary", "mix", "swap", "adversarial-la", "cutmix", "standard", "fog"]
)
@pytest.mark.parametrize("model", ["toy-glow", "toy-pixels"])
def test_the_same_loop_gives_the_same_bits(operator, model, store, loader):
    settings = {"parts": ["fine"]} if operator == "swap" else {}
    runs = []
    for _ in range(2):
        augment = Augment(recipe(operator, model, **settings), store)
        try:
            runs.append([augment(images, labels) for images, labels in loader])
        except UserError:
            assert (operator, model) == ("swap", "toy-pixels")
            return
    for (images, targets), (again, same) in zip(*runs, strict=True):
        assert images.shape[1:] == (3, 16, 16)
        assert targets.shape == (len(images), 3)
        assert torch.equal(images, again)
        assert torch.equal(targets, same)


def test_chance_goes_on_from_batch_to_batch(store):
    augment = Augment(recipe("noise", epsilon=5), store)
    images, labels = torch.rand(2, 3, 16, 16), torch.tensor([0, 1])
    assert not torch.equal(augment(images, labels)[0], augment(images, labels)[0])


def test_reads_a_file_a_dict_and_a_recipe(store, tmp_path):
    (tmp_path / "recipe.json").write_text(json.dumps(recipe("mix", lam=0.25)))
    sources = (tmp_path / "recipe.json", str(tmp_path / "recipe.json"), recipe("mix", lam=0.25))
    augments = [Augment(source, store) for source in (*sources, parse_recipe(json.dumps(recipe("mix", lam=0.25))))]
    images, labels = torch.rand(4, 3, 16, 16), torch.arange(4) % 3
    results = [augment(images, labels) for augment in augments]
    assert all(torch.equal(results[0][0], other) for other, _ in results[1:])


def test_soft_labels_stay_soft(store):
    soft = torch.tensor([[0.5, 0.5, 0.0], [0.0, 0.1, 0.9]])
    _, targets = Augment(recipe("noise"), store)(torch.rand(2, 3, 16, 16), soft)
    assert torch.equal(targets, soft)


def test_the_network_in_training_can_be_attacked(store):
    net = nn.Sequential(nn.Flatten(), nn.Linear(768, 7))
    augment = Augment(recipe("adversary", label="true"), store, classifier=net, classes=7)
    images, targets = augment(torch.rand(2, 3, 16, 16), torch.tensor([6, 0]))
    assert targets.shape == (2, 7)
    nn.functional.cross_entropy(net(images), targets).backward()
    assert net.training


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (torch.zeros(1, 3, 16, 16, dtype=torch.uint8), torch.tensor([0]), "divide them by 255"),
        (torch.full((1, 3, 16, 16), -2.0), torch.tensor([0]), "before normalising"),
        (torch.full((1, 3, 16, 16), torch.nan), torch.tensor([0]), "before normalising"),
        (torch.zeros(1, 3, 16, 16), torch.tensor([3]), "classes are 0 to 2"),
        (torch.zeros(1, 3, 8, 8), torch.tensor([0]), "takes 3×16×16"),
    ],
)
def test_refusals(images, labels, message, store):
    with pytest.raises(UserError, match=message):
        Augment(recipe("noise"), store)(images, labels)


def test_a_recipe_that_is_not_there(store, tmp_path: Path):
    with pytest.raises(UserError, match="cannot be read"):
        Augment(tmp_path / "none.json", store)
    with pytest.raises(UserError, match="no network"):
        Augment(recipe("noise", model="moon-glow"), store)

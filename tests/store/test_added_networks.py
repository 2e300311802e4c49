"""Networks of one's own in the store: modules, latent models, weights of known architectures."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from store.pets import CLASSES, SHAPE, WeightEdit, make_network
from torch import Tensor, nn

from latentlab.errors import UserError
from latentlab.store import Store
from latentlab.torchvision_schemas import import_torchvision
from latentlab.types import Latents


class Centred(nn.Module):
    """Answers the mean of each normalised channel."""

    def forward(self, images: Tensor) -> Tensor:
        return images.mean((2, 3))


def test_ones_own_module_normalises_inside(folder: Path) -> None:
    store, images = Store(folder, "cpu"), torch.rand(5, 3, 32, 32)
    mean, std = [0.1, 0.2, 0.3], [0.5, 0.6, 0.7]
    store.add("mine", Centred(), CLASSES, mean, std, (3, 32, 32))
    by_hand = ((images - torch.tensor(mean)[:, None, None]) / torch.tensor(std)[:, None, None]).mean((2, 3))
    torch.testing.assert_close(store.load("mine")(images), by_hand)
    assert store.load("mine").classes == CLASSES
    assert store.list_classifiers("pets")[-1] == "mine"
    assert store.worlds == ("pets",)
    assert len(store.digest("mine")) == 16


def test_what_is_added_stays_as_it_is_while_the_original_trains(folder: Path) -> None:
    store, mine = Store(folder, "cpu"), make_network().train()
    store.add("mine", mine, CLASSES, image_shape=SHAPE)
    images = torch.rand(2, *SHAPE)
    before = store.load("mine")(images)
    with torch.no_grad():
        mine.get_parameter("head.bias").add_(1)
    torch.testing.assert_close(store.load("mine")(images), before)
    assert mine.training
    assert all(parameter.requires_grad for parameter in mine.parameters())


class Raises(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        raise RuntimeError("mat1 and mat2\nshapes cannot be multiplied")


class Undefined(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return images.mean((2, 3)) * float("nan")


class Pair(nn.Module):
    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        return images, images


@pytest.mark.parametrize(
    ("mine", "changes", "says"),
    [
        (Raises(), {}, "cannot classify"),
        (Undefined(), {}, "not finite"),
        (Pair(), {}, "Flatten its maps first"),
        (Centred(), {"classes": ("a", "b")}, r"\[2, 3\]"),
        (Centred(), {"classes": ("a", "a", "b")}, "Class names"),
        (Centred(), {"classes": ()}, "Class names"),
        (Centred(), {"mean": [0.5]}, "3 numbers"),
        (Centred(), {"std": [0.5, 0.5, 0.0]}, "above 0"),
        (Centred(), {"mean": [0.5, 0.5, float("nan")]}, "3 numbers"),
        (Centred(), {"name": "a/../b"}, "no name"),
        (Centred(), {"name": "pets-resnet"}, "already"),
        ("a text", {}, "nn.Module"),
    ],
)
def test_a_network_that_does_not_fit_is_refused(folder: Path, mine: object, changes: dict, says: str) -> None:
    store = Store(folder, "cpu")
    with pytest.raises(UserError, match=says) as caught:
        store.add(**{"name": "mine", "network": mine, "classes": CLASSES, "image_shape": (3, 8, 8), **changes})
    assert "\n" not in str(caught.value)
    assert "mine" not in store.cards


class Halved:
    image_shape = SHAPE

    def encode(self, images: Tensor) -> Latents:
        return Latents({"code": images / 2})

    def decode(self, latents: Latents) -> Tensor:
        return latents.parts["code"] * 2

    def sample(self, count: int, rng: torch.Generator) -> Latents:
        return Latents({"code": torch.zeros(count, *SHAPE)})


def test_ones_own_latent_model(folder: Path) -> None:
    store = Store(folder, "cpu")
    store.add("half", Halved())
    assert store.list_models("pets") == ["pets-pixels", "half"]
    assert isinstance(store.load("half"), Halved)


@pytest.fixture(scope="module")
def resnet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("brought") / "mine.safetensors"
    torch.manual_seed(0)
    save_file(import_torchvision().models.resnet18(weights=None, num_classes=3).state_dict(), path)
    return path


HALF = [0.5, 0.5, 0.5]


def test_a_torchvision_file_is_brought(folder: Path, resnet: Path) -> None:
    store = Store(folder, "cpu")
    assert store.bring_classifier(resnet, "torchvision:resnet18", CLASSES, HALF, HALF, 32) == "mine"
    net = store.load("mine")
    images = torch.rand(2, 3, 32, 32)
    torch.testing.assert_close(net(images), net.network((images - 0.5) / 0.5))
    torch.testing.assert_close(net.network.state_dict()["fc.bias"], load_file(resnet)["fc.bias"])
    assert net(torch.rand(2, 3, 64, 64)).shape == (2, 3)


@pytest.mark.parametrize(
    ("architecture", "classes", "says"),
    [
        ("torchvision:resnet34", CLASSES, "lacks"),
        ("torchvision:resnet10", CLASSES, "did you mean"),
        ("timm:hf-hub:evil/model", CLASSES, "no architecture"),
        ("resnet18", CLASSES, "torchvision:resnet18"),
        ("torchvision:resnet18", ("cat", "dog"), "fc.weight has shape"),
        ("torchvision:squeezenet1_0", CLASSES, "lacks"),
    ],
)
def test_the_wrong_architecture_is_refused(
    folder: Path, resnet: Path, architecture: str, classes: tuple[str, ...], says: str
) -> None:
    with pytest.raises(UserError, match=says) as caught:
        Store(folder, "cpu").bring_classifier(resnet, architecture, classes, HALF, HALF, 32)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (lambda t: t.pop("fc.bias"), "lacks 1"),
        (lambda t: t.update(extra=torch.zeros(1)), "surplus"),
        (lambda t: t["fc.bias"].fill_(float("inf")), "not finite"),
        (lambda t: t.update({"fc.bias": torch.zeros(3, dtype=torch.int64)}), "int64"),
    ],
)
def test_a_wrong_file_is_refused(folder: Path, resnet: Path, tmp_path: Path, edit: WeightEdit, says: str) -> None:
    tensors = load_file(resnet)
    edit(tensors)
    save_file(tensors, tmp_path / "wrong.safetensors")
    with pytest.raises(UserError, match=says):
        Store(folder, "cpu").bring_classifier(
            tmp_path / "wrong.safetensors", "torchvision:resnet18", CLASSES, HALF, HALF, 32
        )


def test_a_pickle_is_not_opened(folder: Path, tmp_path: Path) -> None:
    torch.save(make_network().state_dict(), tmp_path / "mine.pt")
    with pytest.raises(UserError, match="not a safetensors file"):
        Store(folder, "cpu").bring_classifier(tmp_path / "mine.pt", "torchvision:resnet18", CLASSES, HALF, HALF, 32)
    with pytest.raises(UserError, match="cannot be read"):
        Store(folder, "cpu").bring_classifier(
            tmp_path / "nothing.safetensors", "torchvision:resnet18", CLASSES, HALF, HALF, 32
        )

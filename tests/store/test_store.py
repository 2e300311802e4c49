"""The store lists without weights, loads once, and refuses whatever is not a sound network."""

from __future__ import annotations

import json
import struct
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from latentlab import models
from latentlab.errors import UserError
from latentlab.models import AttributeClassifier, Card, Pixels, SmallResNet
from latentlab.models import safetensors_header as headers
from latentlab.store import Store
from latentlab.torchvision_schemas import import_torchvision
from latentlab.types import LatentModel, Latents

CLASSES = ("cat", "dog", "emu")
SHAPE = (3, 16, 16)
CARD = Card("resnet", {"image_shape": SHAPE, "classes": CLASSES, "widths": [4, 4, 4]}, SHAPE, "pets", CLASSES)


def network(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return SmallResNet(**CARD.arguments).eval()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    models.save_network(tmp_path / "pets-resnet.safetensors", network(), replace(CARD, scores={"accuracy": 0.5}))
    models.save_network(tmp_path / "pets-tags.safetensors", network(), replace(CARD, multilabel=True))
    return tmp_path


def test_it_lists_cards_without_weights(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models.checkpoint, "safe_open", None)
    store = Store(folder, "cpu")
    assert store.cards["pets-resnet"].scores == {"accuracy": 0.5}
    assert store.worlds == ("pets",)
    assert store.list_models("pets") == ["pets-pixels"]
    assert store.list_classifiers("pets") == ["pets-resnet", "pets-tags:cat", "pets-tags:dog", "pets-tags:emu"]


def test_smiling_is_the_first_attribute(tmp_path: Path) -> None:
    names = ("Bald", "Smiling", "Young")
    card = replace(CARD, arguments={**CARD.arguments, "classes": names}, classes=names, multilabel=True)
    models.save_network(tmp_path / "faces-resnet.safetensors", network(), card)
    heads = Store(tmp_path).list_classifiers("pets")
    assert [head.partition(":")[2] for head in heads] == ["Smiling", "Bald", "Young"]


def test_what_is_loaded_answers_as_what_was_saved(folder: Path) -> None:
    images = torch.rand(2, *SHAPE)
    loaded = Store(folder, "cpu").load("pets-resnet")
    torch.testing.assert_close(loaded(images), network()(images))
    assert not loaded.training
    assert not any(parameter.requires_grad for parameter in loaded.parameters())


def test_who_says_of_what_kind_it_must_be_gets_that_or_a_clear_line(folder: Path) -> None:
    store = Store(folder, "cpu")
    network = store.load("pets-resnet", nn.Module)
    assert network is store.load("pets-resnet")
    with pytest.raises(UserError, match="pets-resnet is no LatentModel"):
        store.load("pets-resnet", LatentModel)
    assert store.load("pets-pixels", LatentModel).image_shape == SHAPE


def test_eight_threads_get_the_same_object(folder: Path) -> None:
    store, gate = Store(folder, "cpu"), threading.Barrier(8)

    def load(_: int) -> int:
        gate.wait()
        return id(store.load("pets-tags:dog"))

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(load, range(8)))) == 1
    assert store.load("pets-tags:dog").network is store.load("pets-tags")


def test_an_attribute_is_a_sigmoid_in_two_classes(folder: Path) -> None:
    store, images = Store(folder, "cpu"), torch.rand(2, *SHAPE)
    head = store.load("pets-tags:dog")
    assert isinstance(head, AttributeClassifier)
    assert head.classes == ("not dog", "dog")
    torch.testing.assert_close(head(images).softmax(1)[:, 1], store.load("pets-tags")(images)[:, 1].sigmoid())


def test_pixels_need_no_file(folder: Path) -> None:
    pixels = Store(folder, "cpu").load("pets-pixels")
    assert isinstance(pixels, Pixels)
    assert pixels.image_shape == SHAPE


@pytest.mark.parametrize("name", ["nobody", "pets-tags:Bald", "pets-resnet:dog", "../x", "", "birds-pixels"])
def test_an_unknown_name_is_one_line(folder: Path, name: str) -> None:
    with pytest.raises(UserError) as caught:
        Store(folder, "cpu").load(name)
    assert "\n" not in str(caught.value)


def test_the_digest_follows_the_weights(folder: Path) -> None:
    store = Store(folder, "cpu")
    before = store.digest("pets-resnet")
    first = store.load("pets-resnet")
    assert store.digest("pets-tags:dog") == store.digest("pets-tags")
    models.save_network(folder / "pets-resnet.safetensors", network(1), CARD)
    store.rescan_folders()
    assert store.digest("pets-resnet") != before
    assert store.load("pets-resnet") is not first


def test_a_new_file_is_found_without_asking(folder: Path) -> None:
    store = Store(folder, "cpu")
    models.save_network(folder / "pets-new.safetensors", network(), CARD)
    assert store.load("pets-new").classes == CLASSES


def test_an_empty_or_missing_folder_is_an_empty_store(tmp_path: Path) -> None:
    assert Store(tmp_path / "none", "cpu").cards == {}
    assert Store(tmp_path, "cpu").worlds == ()


def test_a_device_that_is_not_there_is_refused(tmp_path: Path) -> None:
    for name in ("toaster", "mps", "cuda:99"):
        with pytest.raises(UserError, match=name):
            Store(tmp_path, name)


def raw(header: bytes, body: bytes = b"") -> bytes:
    return struct.pack("<Q", len(header)) + header + body


def entry(shape: list[int], end: int, kind: str = "F32") -> dict:
    return {"dtype": kind, "shape": shape, "data_offsets": [0, end]}


def described(card: object, **tensors: dict) -> bytes:
    return raw(json.dumps({"__metadata__": {"card": json.dumps(card)}, **tensors}).encode())


BROKEN = {
    "empty": b"",
    "text": b"hello, this is no network",
    "short": raw(b'{"a":'),
    "bomb": struct.pack("<Q", 100_000_000) + b" " * 1000,
    "endless": struct.pack("<Q", 2**63) + b"{}",
    "nested": raw(b"[" * 200_000),
    "twice": raw(
        b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}',
        b"1234",
    ),
    "outside": raw(json.dumps({"a": entry([10], 40)}).encode(), b"1234"),
    "mismatch": raw(json.dumps({"a": entry([10**9, 10**9], 4)}).encode(), b"1234"),
    "negative": raw(json.dumps({"a": entry([-1], 4)}).encode(), b"1234"),
    "type": raw(json.dumps({"a": entry([1], 4, "PICKLE")}).encode(), b"1234"),
    "cardless": raw(b"{}"),
    "list": described([1, 2]),
    "deep": raw(json.dumps({"__metadata__": {"card": "[" * 100_000}}).encode()),
    "kind": described({"kind": "virus", "arguments": {}, "image_shape": [3, 8, 8]}),
    "shape": described({"kind": "glow", "arguments": {}, "image_shape": "big"}),
    "score": described({"kind": "glow", "arguments": {}, "image_shape": [3, 8, 8], "scores": {"a": "<script>"}}),
    "class": described({"kind": "glow", "arguments": {}, "image_shape": [3, 8, 8], "classes": [1, 2]}),
}


def test_broken_files_do_not_take_the_listing_down(folder: Path) -> None:
    for name, content in BROKEN.items():
        (folder / f"{name}.safetensors").write_bytes(content)
    (folder / "folder.safetensors").mkdir()
    store = Store(folder, "cpu")
    assert set(store.cards) == {"pets-resnet", "pets-tags"}
    assert set(store.broken) == {*BROKEN, "folder"}
    assert all("\n" not in line and len(line) < 300 for line in store.broken.values())
    with pytest.raises(UserError, match="cut short"):
        store.load("empty")


def test_a_header_bomb_is_refused_before_it_is_read(tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.safetensors"
    with bomb.open("wb") as file:
        file.write(struct.pack("<Q", 99_000_000))
        file.truncate(100_000_000)
    with pytest.raises(UserError, match="94 MiB"):
        headers.read_header(bomb)


Edit = Callable[[dict[str, Tensor]], object]


def change(path: Path, edit: Edit) -> None:
    card, tensors = models.checkpoint.read_checkpoint(path)
    edit(tensors)
    models.checkpoint.write_checkpoint(path, card, tensors)


def test_weights_that_do_not_fit_the_card_are_one_line(folder: Path) -> None:
    edits: list[Edit] = [
        lambda t: t.pop("head.bias"),
        lambda t: t.update(surplus=torch.zeros(1)),
        lambda t: t.update({"head.bias": torch.zeros(4)}),
        lambda t: t["head.bias"].fill_(float("nan")),
    ]
    for edit in edits:
        models.save_network(folder / "pets-resnet.safetensors", network(), CARD)
        change(folder / "pets-resnet.safetensors", edit)
        with pytest.raises(UserError) as caught:
            Store(folder, "cpu").load("pets-resnet")
        assert "\n" not in str(caught.value)


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
    store, mine = Store(folder, "cpu"), network().train()
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
def test_a_wrong_file_is_refused(folder: Path, resnet: Path, tmp_path: Path, edit: Edit, says: str) -> None:
    tensors = load_file(resnet)
    edit(tensors)
    save_file(tensors, tmp_path / "wrong.safetensors")
    with pytest.raises(UserError, match=says):
        Store(folder, "cpu").bring_classifier(
            tmp_path / "wrong.safetensors", "torchvision:resnet18", CLASSES, HALF, HALF, 32
        )


def test_a_pickle_is_not_opened(folder: Path, tmp_path: Path) -> None:
    torch.save(network().state_dict(), tmp_path / "mine.pt")
    with pytest.raises(UserError, match="not a safetensors file"):
        Store(folder, "cpu").bring_classifier(tmp_path / "mine.pt", "torchvision:resnet18", CLASSES, HALF, HALF, 32)
    with pytest.raises(UserError, match="cannot be read"):
        Store(folder, "cpu").bring_classifier(
            tmp_path / "nothing.safetensors", "torchvision:resnet18", CLASSES, HALF, HALF, 32
        )

"""The store lists without weights, loads once, and follows what changes on the disk."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from store.pets import CARD, CLASSES, SHAPE, make_network
from torch import nn

from latentlab import models
from latentlab.errors import UserError
from latentlab.models import AttributeClassifier, Pixels
from latentlab.store import Store
from latentlab.types import LatentModel


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
    models.save_network(tmp_path / "faces-resnet.safetensors", make_network(), card)
    heads = Store(tmp_path).list_classifiers("pets")
    assert [head.partition(":")[2] for head in heads] == ["Smiling", "Bald", "Young"]


def test_what_is_loaded_answers_as_what_was_saved(folder: Path) -> None:
    images = torch.rand(2, *SHAPE)
    loaded = Store(folder, "cpu").load("pets-resnet")
    torch.testing.assert_close(loaded(images), make_network()(images))
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
    models.save_network(folder / "pets-resnet.safetensors", make_network(1), CARD)
    store.rescan_folders()
    assert store.digest("pets-resnet") != before
    assert store.load("pets-resnet") is not first


def test_a_new_file_is_found_without_asking(folder: Path) -> None:
    store = Store(folder, "cpu")
    models.save_network(folder / "pets-new.safetensors", make_network(), CARD)
    assert store.load("pets-new").classes == CLASSES


def test_an_empty_or_missing_folder_is_an_empty_store(tmp_path: Path) -> None:
    assert Store(tmp_path / "none", "cpu").cards == {}
    assert Store(tmp_path, "cpu").worlds == ()


def test_a_device_that_is_not_there_is_refused(tmp_path: Path) -> None:
    for name in ("toaster", "mps", "cuda:99"):
        with pytest.raises(UserError, match=name):
            Store(tmp_path, name)

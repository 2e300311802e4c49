"""What is no sound checkpoint is listed as broken, in one line, and takes nothing else down."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest
import torch
from store.pets import CARD, WeightEdit, make_network

from latentlab import models
from latentlab.errors import UserError
from latentlab.store import Store


def pack_header(header: bytes, body: bytes = b"") -> bytes:
    return struct.pack("<Q", len(header)) + header + body


def make_entry(shape: list[int], end: int, kind: str = "F32") -> dict:
    return {"dtype": kind, "shape": shape, "data_offsets": [0, end]}


def describe_card(card: object, **tensors: dict) -> bytes:
    return pack_header(json.dumps({"__metadata__": {"card": json.dumps(card)}, **tensors}).encode())


BROKEN = {
    "empty": b"",
    "text": b"hello, this is no network",
    "short": pack_header(b'{"a":'),
    "bomb": struct.pack("<Q", 100_000_000) + b" " * 1000,
    "endless": struct.pack("<Q", 2**63) + b"{}",
    "nested": pack_header(b"[" * 200_000),
    "twice": pack_header(
        b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}',
        b"1234",
    ),
    "outside": pack_header(json.dumps({"a": make_entry([10], 40)}).encode(), b"1234"),
    "mismatch": pack_header(json.dumps({"a": make_entry([10**9, 10**9], 4)}).encode(), b"1234"),
    "negative": pack_header(json.dumps({"a": make_entry([-1], 4)}).encode(), b"1234"),
    "type": pack_header(json.dumps({"a": make_entry([1], 4, "PICKLE")}).encode(), b"1234"),
    "cardless": pack_header(b"{}"),
    "list": describe_card([1, 2]),
    "deep": pack_header(json.dumps({"__metadata__": {"card": "[" * 100_000}}).encode()),
    "kind": describe_card({"kind": "virus", "arguments": {}, "image_shape": [3, 8, 8]}),
    "shape": describe_card({"kind": "glow", "arguments": {}, "image_shape": "big"}),
    "score": describe_card({"kind": "glow", "arguments": {}, "image_shape": [3, 8, 8], "scores": {"a": "<script>"}}),
    "class": describe_card({"kind": "glow", "arguments": {}, "image_shape": [3, 8, 8], "classes": [1, 2]}),
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


def change_weights(path: Path, edit: WeightEdit) -> None:
    card, tensors = models.checkpoint.read_checkpoint(path)
    edit(tensors)
    models.checkpoint.write_checkpoint(path, card, tensors)


def test_weights_that_do_not_fit_the_card_are_one_line(folder: Path) -> None:
    edits: list[WeightEdit] = [
        lambda t: t.pop("head.bias"),
        lambda t: t.update(surplus=torch.zeros(1)),
        lambda t: t.update({"head.bias": torch.zeros(4)}),
        lambda t: t["head.bias"].fill_(float("nan")),
    ]
    for edit in edits:
        models.save_network(folder / "pets-resnet.safetensors", make_network(), CARD)
        change_weights(folder / "pets-resnet.safetensors", edit)
        with pytest.raises(UserError) as caught:
            Store(folder, "cpu").load("pets-resnet")
        assert "\n" not in str(caught.value)

"""A checkpoint is anybody's file: whatever is wrong with it is one line, and the world lives on its other files."""

from __future__ import annotations

import json
import random
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from latentlab import models
from latentlab.errors import UserError
from latentlab.models import Card
from latentlab.models.checkpoint import read_checkpoint, write_checkpoint
from latentlab.models.construction_budget import ConstructionBudget
from latentlab.session import Workspace, open_world
from latentlab.store import Store

SHAPE = (3, 8, 8)
CLASSES = ("cat", "dog")
ARGUMENTS: dict[str, dict[str, Any]] = {
    "glow": {"levels": 2, "steps": 1, "hidden": 4},
    "vae": {"code": 3, "width": 4, "depth": 1},
    "stylegan2": {"channels": (4, 4), "style_dim": 4, "mapping_layers": 1},
    "resnet": {"classes": CLASSES, "widths": (4, 4, 4)},
}
ROUNDS = 2100
STRANGE: tuple[Any, ...] = (
    float("inf"),
    float("-inf"),
    float("nan"),
    -1,
    0,
    1,
    2**31,
    2**63,
    10**400,
    1e308,
    -0.0,
    0.5,
    True,
    None,
    "",
    "x",
    "\ud800",
    "<img src=x>",
    [],
    [0, 0, 0],
    [-3, 32, 32],
    [3, 1, 1],
    [3, 2**31, 2**31],
    [[[]]],
    {},
    {"a": 1},
)


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """One small network of each kind, as the bytes of its file."""
    folder, found = tmp_path_factory.mktemp("originals"), {}
    for kind, own in ARGUMENTS.items():
        torch.manual_seed(0)
        arguments = {"image_shape": SHAPE, **own}
        network: Any = models.construct_network(kind, arguments)
        if kind == "vae":
            network.directions = {"pc1": torch.ones(3)}
        card = Card(kind, arguments, SHAPE, "pets", CLASSES if kind == "resnet" else (), scores={"accuracy": 0.5})
        models.save_network(folder / f"{kind}.safetensors", network, card)
        found[kind] = (folder / f"{kind}.safetensors").read_bytes()
    return found


def split_file(data: bytes) -> tuple[dict[str, Any], bytes]:
    (length,) = struct.unpack("<Q", data[:8])
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def join_file(header: Any, weights: bytes) -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + weights


def spoil_value(value: Any, rng: random.Random) -> Any:
    """Replace, take away or add something, somewhere inside."""
    if isinstance(value, dict | list) and value and rng.random() < 0.8:
        copy: Any = dict(value) if isinstance(value, dict) else list(value)
        key = rng.choice(list(copy)) if isinstance(copy, dict) else rng.randrange(len(copy))
        if rng.random() < 0.2:
            del copy[key]
        else:
            copy[key] = spoil_value(copy[key], rng)
        return copy
    return rng.choice(STRANGE)


def spoil_card(data: bytes, rng: random.Random) -> bytes:
    header, weights = split_file(data)
    card = json.loads(header["__metadata__"]["card"])
    header["__metadata__"]["card"] = json.dumps(spoil_value(card, rng))
    return join_file(header, weights)


def spoil_header(data: bytes, rng: random.Random) -> bytes:
    header, weights = split_file(data)
    return join_file(spoil_value(header, rng), weights)


def spoil_bytes(data: bytes, rng: random.Random) -> bytes:
    whole = bytearray(data)
    for _ in range(rng.choice((1, 1, 4, 64))):
        whole[rng.randrange(len(whole))] = rng.randrange(256)
    return bytes(whole)


def cut_or_lengthen(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(len(data))] if rng.random() < 0.5 else data + rng.randbytes(rng.choice((1, 8, 1000)))


def spoil_weights(data: bytes, rng: random.Random) -> bytes:
    """Fill one tensor, or all of them, with numbers that no fit would leave."""
    header, weights = split_file(data)
    entries = [entry for name, entry in header.items() if name != "__metadata__" and entry["dtype"] == "F32"]
    whole = bytearray(weights)
    value = struct.pack("<f", rng.choice((float("nan"), float("inf"), 3e38, -3e38, 0.0, 1e-45, 1e20)))
    for entry in entries if rng.random() < 0.3 else [rng.choice(entries)]:
        start, end = entry["data_offsets"]
        whole[start:end] = value * ((end - start) // 4)
    return join_file(header, bytes(whole))


SPOILERS: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    spoil_card,
    spoil_header,
    spoil_bytes,
    cut_or_lengthen,
    spoil_weights,
)


def test_two_thousand_spoilt_files_cost_one_line_each(originals: dict[str, bytes], tmp_path: Path) -> None:
    """Whatever loads after all gives finite pictures and answers."""
    rng, path = random.Random(0), tmp_path / "pets.safetensors"
    lines: list[str] = []
    for number in range(ROUNDS):
        path.write_bytes(SPOILERS[number % len(SPOILERS)](rng.choice(list(originals.values())), rng))
        try:
            card, network = models.load_network(path)
        except UserError as error:
            lines.append(str(error))
            continue
        images = torch.full((2, *card.image_shape), 0.25)
        with torch.no_grad():
            given: Tensor = network.decode(network.encode(images)) if card.kind != "resnet" else network(images)
        assert given.shape[0] == 2
    assert not any("\n" in line or len(line.encode()) > 500 for line in lines), "each can be shown"
    assert ROUNDS / 2 < len(lines) < ROUNDS, "most of what was spoilt is noticed, and some of it does no harm"


@pytest.mark.parametrize("spoil", SPOILERS)
def test_a_spoilt_file_costs_itself_alone(
    originals: dict[str, bytes], tmp_path: Path, spoil: Callable[[bytes, random.Random], bytes]
) -> None:
    """The spoilt one sorts first; the world opens with its other networks."""
    rng = random.Random(1)
    for kind, data in originals.items():
        (tmp_path / f"pets-{kind}.safetensors").write_bytes(data)
    for _ in range(6):
        (tmp_path / "pets-a.safetensors").write_bytes(spoil(rng.choice(list(originals.values())), rng))
        store = Store(tmp_path, "cpu")
        assert store.find_image_shape("pets") == SHAPE
        assert "pets" in store.worlds
        assert set(store.cards) | set(store.broken) >= {"pets-a", *(f"pets-{kind}" for kind in originals)}


@pytest.mark.parametrize("shape", [(3, 2, 2), (1, 8, 8), (3, 64, 64)])
def test_a_world_has_the_shape_of_most_of_its_files(
    originals: dict[str, bytes], tmp_path: Path, shape: tuple[int, int, int]
) -> None:
    """The one that sorts first is for other images: it is listed with its reason, and the world opens."""
    for kind, data in originals.items():
        (tmp_path / f"pets-{kind}.safetensors").write_bytes(data)
    card, tensors = read_checkpoint(tmp_path / "pets-vae.safetensors")
    other = replace(card, image_shape=shape, arguments={**card.arguments, "image_shape": shape})
    write_checkpoint(tmp_path / "pets-a.safetensors", other, tensors)
    workspace = Workspace(Store(tmp_path, "cpu"))
    assert str(list(shape)) in workspace.store.broken["pets-a"]
    assert open_world(workspace, "pets").source.image.shape[1:] == SHAPE


def test_a_file_that_fails_when_it_is_loaded_costs_itself_alone(originals: dict[str, bytes], tmp_path: Path) -> None:
    """All weights of the first classifier and of the first model are beyond what a sum can hold, of either sign."""
    for kind, data in originals.items():
        (tmp_path / f"pets-{kind}.safetensors").write_bytes(data)
    for kind in ("vae", "resnet"):
        card, tensors = read_checkpoint(tmp_path / f"pets-{kind}.safetensors")
        signs = {
            name: 1 - 2 * (torch.arange(tensor.numel()) % 2).view(tensor.shape) for name, tensor in tensors.items()
        }
        huge = {name: (3e38 * sign.float()).to(tensors[name].dtype) for name, sign in signs.items()}
        write_checkpoint(tmp_path / f"pets-a-{kind}.safetensors", card, huge)
    workspace = Workspace(Store(tmp_path, "cpu"))
    session = open_world(workspace, "pets")
    assert session.classifier == "pets-resnet"
    assert isinstance(session.rebuilt["pets-a-vae"], str)


def test_a_network_larger_than_its_file_takes_no_memory() -> None:
    with ConstructionBudget({"weight": (4, 4)}), pytest.raises(ValueError, match="larger network"):
        torch.nn.Linear(2**20, 2**20)
    with ConstructionBudget({"weight": (4, 4)}), pytest.raises(ValueError, match="larger network"):
        torch.nn.ModuleList(torch.nn.Linear(1, 1) for _ in range(10**9))


@pytest.mark.parametrize("arguments", [{"levels": 2**31}, {"steps": 2**31}, {"hidden": 2**20}, {"levels": 10**400}])
def test_a_card_cannot_ask_for_a_loop(originals: dict[str, bytes], tmp_path: Path, arguments: dict[str, Any]) -> None:
    path = tmp_path / "glow.safetensors"
    path.write_bytes(originals["glow"])
    card, tensors = read_checkpoint(path)
    write_checkpoint(path, replace(card, arguments={**card.arguments, **arguments}), tensors)
    with pytest.raises(UserError, match=r"does not fit its card|no LatentLab card"):
        models.load_network(path)

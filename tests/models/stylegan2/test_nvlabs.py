"""Pickles of NVlabs: read as inert data by a closed list of names; the same pictures as the published layout gives."""

from __future__ import annotations

import importlib.util
import os
import pickle
import sys
import types
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from latentlab import models
from latentlab.chance import make_generator
from latentlab.errors import UserError
from latentlab.models.stylegan2.convert import convert_stylegan2
from latentlab.models.stylegan2.generator import StyleGAN2

SPEC = importlib.util.spec_from_file_location("published", Path(__file__).with_name("test_convert.py"))
assert SPEC is not None
assert SPEC.loader is not None
published: Any = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(published)
LABELS = 3


def rename_as_ada(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The published tensors under the names and in the shapes of StyleGAN2-ADA."""
    found = {"synthesis.b4.const": tensors["input.input"][0], "mapping.w_avg": torch.full((published.STYLE,), 0.25)}
    for layer in range(1, published.MLP + 1):
        found |= {f"mapping.fc{layer - 1}.{n}": tensors[f"style.{layer}.{n}"] for n in ("weight", "bias")}
    for layer in range(2 * len(published.CHANNELS) - 1):
        theirs = "conv1" if layer == 0 else f"convs.{layer - 1}"
        ours = f"synthesis.b{4 * 2 ** ((layer + 1) // 2)}.conv{'01'[layer % 2 == 0]}"
        found |= {f"{ours}.affine.{n}": tensors[f"{theirs}.conv.modulation.{n}"] for n in ("weight", "bias")}
        found[f"{ours}.weight"] = tensors[f"{theirs}.conv.weight"][0]
        found[f"{ours}.noise_strength"] = tensors[f"{theirs}.noise.weight"][0]
        found[f"{ours}.noise_const"] = tensors[f"noises.noise_{layer}"][0, 0]
        found[f"{ours}.bias"] = tensors[f"{theirs}.activate.bias"]
    for level in range(len(published.CHANNELS)):
        theirs, ours = "to_rgb1" if level == 0 else f"to_rgbs.{level - 1}", f"synthesis.b{4 * 2**level}.torgb"
        found |= {f"{ours}.affine.{n}": tensors[f"{theirs}.conv.modulation.{n}"] for n in ("weight", "bias")}
        found |= {
            f"{ours}.weight": tensors[f"{theirs}.conv.weight"][0],
            f"{ours}.bias": tensors[f"{theirs}.bias"].flatten(),
        }
    return found


def build_module(tensors: dict[str, Tensor]) -> Any:
    """The state of a module tree that holds these tensors, as theirs is: parameters, buffers, numbers of numpy."""
    own = {name: tensor for name, tensor in tensors.items() if "." not in name}
    heads = dict.fromkeys(name.partition(".")[0] for name in tensors if "." in name)
    children = OrderedDict(
        (head, build_module({n.partition(".")[2]: t for n, t in tensors.items() if n.startswith(f"{head}.")}))
        for head in heads
    )
    buffers = OrderedDict((n, t) for n, t in own.items() if n in ("w_avg", "noise_const"))
    parameters = OrderedDict((n, nn.Parameter(t)) for n, t in own.items() if n not in buffers)
    state = {"_parameters": parameters, "_buffers": buffers, "_modules": children, "training": False}
    return Persisted(state | {"weight_gain": 1 / np.sqrt(7), "_non_persistent_buffers_set": set()})


class Persisted:
    """Pickles as NVlabs's persistent classes do: a function's name, and a dictionary with their source in it."""

    def __init__(self, state: dict[str, Any]) -> None:
        self.state = state

    def __reduce__(self) -> Any:
        meta = {"type": "class", "version": 6, "module_src": "raise SystemExit", "class_name": "Generator"}
        return sys.modules["torch_utils.persistence"]._reconstruct_persistent_obj, (meta | {"state": self.state},)


@pytest.fixture(autouse=True)
def theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Modules whose names the pickles bear; reading must not touch them."""
    module = types.ModuleType("torch_utils.persistence")

    def _reconstruct_persistent_obj(meta: dict) -> None:
        raise AssertionError("code of the file's choosing ran")

    _reconstruct_persistent_obj.__qualname__ = "_reconstruct_persistent_obj"
    _reconstruct_persistent_obj.__module__ = "torch_utils.persistence"
    module._reconstruct_persistent_obj = _reconstruct_persistent_obj  # pyright: ignore[reportAttributeAccessIssue]
    monkeypatch.setitem(sys.modules, "torch_utils", types.ModuleType("torch_utils"))
    monkeypatch.setitem(sys.modules, "torch_utils.persistence", module)


def write_pickle(path: Path, tensors: dict[str, Tensor], protocol: int = 4) -> Path:
    whole = {"G_ema": build_module(tensors), "D": None, "training_set_kwargs": {"path": "x"}}
    path.write_bytes(pickle.dumps(whole, protocol))
    return path


@pytest.mark.parametrize("protocol", [2, 4])
def test_pictures_are_those_of_the_published_layout(tmp_path: Path, protocol: int) -> None:
    tensors = published.make_published_weights()
    source = write_pickle(tmp_path / "ada.pkl", rename_as_ada(tensors), protocol)
    card = convert_stylegan2(source, tmp_path / "net.safetensors")
    _, network = models.load_network(tmp_path / "net.safetensors")
    assert isinstance(network, StyleGAN2)
    assert card.image_shape == (3, 16, 16)
    z, codes = torch.randn(3, published.STYLE), torch.randn(3, 6, published.STYLE)
    assert torch.allclose(network.mapping(z), published.map_noise(tensors, z), atol=1e-4)
    expected = (published.generate(tensors, codes) + 1) / 2
    assert (network.synthesise_images(codes) - expected).abs().max() < 1e-4 * expected.abs().max()
    assert torch.equal(network.w_mean, torch.full((published.STYLE,), 0.25))
    assert network.directions == {}


def test_the_classes_of_a_conditional_one_are_directions(tmp_path: Path) -> None:
    torch.manual_seed(0)
    tensors, style = rename_as_ada(published.make_published_weights()), published.STYLE
    tensors["mapping.fc0.weight"] = torch.cat([tensors["mapping.fc0.weight"], 300 * torch.randn(style, style)], 1)
    tensors |= {"mapping.embed.weight": torch.randn(style, LABELS), "mapping.embed.bias": torch.randn(style)}
    convert_stylegan2(write_pickle(tmp_path / "ada.pkl", tensors), tmp_path / "net.safetensors")
    _, network = models.load_network(tmp_path / "net.safetensors")
    assert isinstance(network, StyleGAN2)
    assert list(network.directions) == ["class 0", "class 1", "class 2"]
    z, label = torch.randn(4, style), torch.tensor([2, 2, 0, 1])
    embedded = tensors["mapping.embed.weight"][:, label].T / LABELS**0.5 + tensors["mapping.embed.bias"]
    x = torch.cat([each / each.square().mean(1, keepdim=True).sqrt() for each in (z, embedded)], 1)
    for layer in range(published.MLP):
        weight, bias = (tensors[f"mapping.fc{layer}.{n}"] for n in ("weight", "bias"))
        x = nn.functional.leaky_relu(x @ weight.T * 0.01 / x.shape[1] ** 0.5 + 0.01 * bias, 0.2) * 2**0.5
    torch.testing.assert_close(network.map_style(z, label), x, atol=1e-4, rtol=1e-4)
    drawn = network.map_style(torch.randn(300, style), torch.full((300,), 1))
    others = network.map_style(torch.randn(300, style), torch.full((300,), 2))
    toward = network.directions["class 1"][:style]
    scaled = toward / network.w_std  # of whitened coordinates, for raw ones
    assert (drawn @ scaled).mean() > (others @ scaled).mean()
    assert network.sample(5, make_generator(0)).flat.shape == (5, 6 * style)


class Runs:
    def __init__(self, function: Any, *arguments: Any) -> None:
        self.told = function, arguments

    def __reduce__(self) -> Any:
        return self.told


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ({"G_ema": Runs(os.system, "touch ran")}, r"posix\.system|nt\.system"),
        ({"G_ema": Runs(eval, "open('ran', 'w')")}, "builtins.eval"),
        ({"G_ema": Runs(getattr, "text", "upper")}, "builtins.getattr"),
        ({"G_ema": nn.Linear(2, 2)}, "Linear"),
        ({"G_ema": b"x" * 1000}, "no G_ema"),
        ([1, 2], "no G_ema"),
        ({"G_ema": Persisted({"_parameters": {}})}, "no StyleGAN2"),
    ],
)
def test_every_other_name_is_refused_and_nothing_runs(
    content: Any, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.pkl").write_bytes(pickle.dumps(content))
    with pytest.raises(UserError, match=says) as caught:
        convert_stylegan2(tmp_path / "bad.pkl", tmp_path / "net.safetensors")
    assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["bad.pkl"]


def test_spoilt_pickles_are_one_line(tmp_path: Path) -> None:
    whole = write_pickle(tmp_path / "ada.pkl", rename_as_ada(published.make_published_weights())).read_bytes()
    chance = np.random.default_rng(0)
    for _ in range(60):
        spoilt = bytearray(whole[: chance.integers(2, len(whole))] if chance.random() < 0.3 else whole)
        for place in chance.integers(1, len(spoilt), 30):
            spoilt[place] = chance.integers(256)
        (tmp_path / "bad.pkl").write_bytes(bytes(spoilt))
        try:
            convert_stylegan2(tmp_path / "bad.pkl", tmp_path / "net.safetensors")
        except UserError as error:
            assert "\n" not in str(error)  # noqa: PT017 - some of them can still be read

"""StyleGAN2-ADA of NVlabs: their names for what our modules hold; the classes of a conditional one are directions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from latentlab import chance
from latentlab.errors import UserError
from latentlab.models.stylegan2.generator import StyleGAN2
from latentlab.models.stylegan2.inert_pickle import PersistedModule, read_inert_pickle

NamedTensors = Mapping[str, Tensor]
PICKLE_START = b"\x80"
MAX_CLASS_DIRECTIONS, DRAWN_CODES, CODES_PER_CLASS = 100, 4000, 20


def is_plain_pickle(path: Path) -> bool:
    """Say whether the file begins as a pickle does, which torch's own files do not."""
    with path.open("rb") as file:
        return file.read(1) == PICKLE_START


def read_nvlabs_pickle(path: Path) -> dict[str, Tensor]:
    """Return the tensors of the averaged generator, as its state_dict names them."""
    whole = read_inert_pickle(path)
    module = whole.get("G_ema") if isinstance(whole, dict) else None
    if not isinstance(module, PersistedModule):
        raise UserError(f"{path.name} has no G_ema; give a network pickle of NVlabs's StyleGAN2-ADA for PyTorch.")
    return {name: tensor.float() for name, tensor in module.list_tensors() if tensor.is_floating_point()}


def is_ada_layout(tensors: Mapping[str, Any]) -> bool:
    return "synthesis.b4.const" in tensors


def infer_ada_arguments(tensors: NamedTensors) -> dict[str, Any]:
    """Read the constructor's arguments off the shapes; other architectures than the published one are refused."""
    channels = [tensors["synthesis.b4.const"].shape[0]]
    while (name := f"synthesis.b{4 * 2 ** len(channels)}.conv1.weight") in tensors:
        channels.append(tensors[name].shape[0])
    size, style = 4 * 2 ** (len(channels) - 1), tensors["synthesis.b4.conv1.affine.weight"].shape[1]
    layers = 0
    while f"mapping.fc{layers}.weight" in tensors:
        layers += 1
    labels = tensors["mapping.embed.weight"].shape[1] if "mapping.embed.weight" in tensors else 0
    if f"synthesis.b{size}.skip.weight" in tensors or "synthesis.b4.torgb.weight" not in tensors:
        raise UserError("This generator has another architecture than skip, the published one; it cannot be converted.")
    return {
        "image_shape": [tensors["synthesis.b4.torgb.weight"].shape[0], size, size],
        "channels": channels,
        "style_dim": style,
        "mapping_layers": layers,
        "encoder": False,
    } | ({"labels": labels} if labels else {})


def rename_ada_tensors(tensors: NamedTensors, network: StyleGAN2) -> dict[str, Tensor]:
    """Return the tensors under the names and in the shapes of our modules."""
    renamed = {"const": tensors["synthesis.b4.const"][None], "w_mean": network.w_mean, "w_std": network.w_std}
    names = {f"mapping.{layer}": f"mapping.fc{layer}" for layer in range(len(network.mapping))}
    if network.embedding is not None:
        names["embedding"] = "mapping.embed"
    for layer in range(len(network.convs)):
        theirs = f"synthesis.b{4 * 2 ** ((layer + 1) // 2)}.conv{(layer + 1) % 2}"
        names[f"convs.{layer}.conv.affine"] = f"{theirs}.affine"
        renamed[f"convs.{layer}.conv.weight"] = tensors[f"{theirs}.weight"]
        renamed[f"convs.{layer}.strength"] = tensors[f"{theirs}.noise_strength"].reshape(1)
        renamed[f"convs.{layer}.bias"] = tensors[f"{theirs}.bias"]
        renamed[f"convs.{layer}.noise"] = tensors[f"{theirs}.noise_const"][None, None]
    for level in range(len(network.to_images)):
        theirs = f"synthesis.b{4 * 2**level}.torgb"
        names[f"to_images.{level}.affine"] = f"{theirs}.affine"
        renamed[f"to_images.{level}.weight"] = tensors[f"{theirs}.weight"][:, :, 0, 0]
        renamed[f"to_images.{level}.bias"] = tensors[f"{theirs}.bias"]
    return renamed | {
        f"{ours}.{what}": tensors[f"{theirs}.{what}"] for ours, theirs in names.items() for what in ("weight", "bias")
    }


@torch.no_grad()
def measure_class_directions(network: StyleGAN2) -> dict[str, Tensor]:
    """Return for each class the way from the other classes' mean code to its own, one standard deviation long."""
    if not (labels := network.labels):
        return {}
    rows = torch.arange(max(DRAWN_CODES, CODES_PER_CLASS * labels)) % labels
    z = chance.draw_normal((len(rows), network.style_dim), chance.make_generator(2))
    codes = (network.map_style(z, rows) - network.w_mean) / network.w_std
    directions = {}
    for label in range(min(labels, MAX_CLASS_DIRECTIONS)):
        unit = F.normalize(codes[rows == label].mean(0) - codes[rows != label].mean(0), dim=0)
        along = unit * (codes @ unit).std()
        directions[f"class {label}"] = along.repeat(network.layers)
    return directions

"""This module turns published StyleGAN2 weights into a checkpoint: rosinality's `.pt`, NVlabs's `.pkl` of ADA.

The one place that opens a pickle: only with unpicklers that build tensors and plain containers, only by this explicit
verb, and only to write a safetensors file once.
"""

from __future__ import annotations

import argparse
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor

from latentlab import chance, models
from latentlab.errors import UserError
from latentlab.models.checkpoint import MAX_CHECKPOINT_BYTES, Card
from latentlab.models.stylegan2.generator import StyleGAN2
from latentlab.models.stylegan2.nvlabs import (
    infer_ada_arguments,
    is_ada_layout,
    is_plain_pickle,
    measure_class_directions,
    read_nvlabs_pickle,
    rename_ada_tensors,
)

NamedTensors = Mapping[str, Tensor]


NVLABS_HINT = (
    "What is read: a .pt of the rosinality layout, and the .pkl of NVlabs's StyleGAN2-ADA for PyTorch; StyleGAN3, and "
    "pickles of TensorFlow, are not."
)


def convert_stylegan2(source: Path, out: Path, data: str = "", licence: str = "", command: str = "") -> Card:
    """Read the averaged generator of `source` and write it to `out`; it has no encoder, so images are encoded by
    optimisation."""
    whole = _load_file(source)
    tensors = whole.get("g_ema", whole)
    if not isinstance(tensors, Mapping) or not all(isinstance(t, Tensor) for t in tensors.values()):
        raise UserError(f"{source.name} has no g_ema of tensors; give a StyleGAN2 checkpoint of the rosinality layout.")
    try:
        infer, rename = (
            (infer_ada_arguments, rename_ada_tensors) if is_ada_layout(tensors) else (_infer_arguments, _rename_tensors)
        )
        arguments = infer(tensors)
        network = StyleGAN2(**arguments).eval()
        network.load_state_dict(rename(tensors, network))
    except (KeyError, IndexError, ValueError, AssertionError, RuntimeError) as error:
        reason = str(error).splitlines()[0][:80] if str(error) else "shapes"
        raise UserError(f"{source.name} is no StyleGAN2 of a known layout ({reason}). {NVLABS_HINT}") from error
    if bad := [name for name, tensor in network.state_dict().items() if not tensor.isfinite().all()]:
        raise UserError(f"{source.name} holds values that are not finite, in {bad[0]}; get the file again.")
    network.measure_whitening(chance.make_generator(1))
    average = whole.get("latent_avg", tensors.get("mapping.w_avg"))
    if isinstance(average, Tensor) and average.numel() == network.style_dim:
        network.w_mean.copy_(average.flatten())
    network.directions = measure_class_directions(network)
    card = Card(
        "stylegan2", arguments, network.image_shape, data=data, command=command, parent=source.name, licence=licence
    )
    models.save_network(out, network, card)
    return card


def _load_file(source: Path) -> dict[str, Any]:
    """Return the file's dictionary: tensors, numbers and argparse's settings, nothing that runs."""
    if not source.is_file():
        raise UserError(f"There is no file {source}; give the .pt or .pkl file of a StyleGAN2.")
    if source.stat().st_size > MAX_CHECKPOINT_BYTES:
        raise UserError(f"{source.name} is larger than 2 GiB; save its g_ema alone.")
    if source.suffix == ".pkl" and is_plain_pickle(source):
        return read_nvlabs_pickle(source)
    if not zipfile.is_zipfile(source):
        raise UserError(f"{source.name} is not a .pt file of torch 1.6 or later; save it again with one. {NVLABS_HINT}")
    with zipfile.ZipFile(source) as archive:
        size = sum(entry.file_size for entry in archive.infolist())
    if max(size, source.stat().st_size) > MAX_CHECKPOINT_BYTES:
        raise UserError(f"{source.name} holds {size / 2**30:.1f} GiB; at most 2 GiB are read: save its g_ema alone.")
    try:
        with torch.serialization.safe_globals([argparse.Namespace]):
            whole = torch.load(source, map_location="cpu", weights_only=True)
    except (UnpicklingError, RuntimeError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(
            f"{source.name} holds more than tensors, or is damaged; save the tensors of its g_ema alone. {NVLABS_HINT}"
        ) from error
    if not isinstance(whole, dict):
        raise UserError(f"{source.name} holds no dictionary of tensors; give a StyleGAN2 checkpoint.")
    return whole


def _infer_arguments(tensors: NamedTensors) -> dict[str, Any]:
    """Read the constructor's arguments off the shapes."""
    channels = [tensors["conv1.conv.weight"].shape[1]]
    while (name := f"convs.{2 * len(channels) - 2}.conv.weight") in tensors:
        channels.append(tensors[name].shape[1])
    mapping = sum(re.fullmatch(r"style\.\d+\.weight", name) is not None for name in tensors)
    size = 4 * 2 ** (len(channels) - 1)
    return {
        "image_shape": [tensors["to_rgb1.conv.weight"].shape[1], size, size],
        "channels": channels,
        "style_dim": tensors["style.1.weight"].shape[0],
        "mapping_layers": mapping,
        "encoder": False,
    }


def _rename_tensors(tensors: NamedTensors, network: StyleGAN2) -> dict[str, Tensor]:
    """Return the tensors under the names and in the shapes of our modules."""
    renamed = {"const": tensors["input.input"], "w_mean": network.w_mean, "w_std": network.w_std}
    for layer in range(len(network.mapping)):
        renamed |= _rename_linear(tensors, f"style.{layer + 1}", f"mapping.{layer}")
    for layer in range(len(network.convs)):
        theirs, ours = "conv1" if layer == 0 else f"convs.{layer - 1}", f"convs.{layer}"
        size = 4 * 2 ** ((layer + 1) // 2)
        drawn = chance.draw_normal((1, 1, size, size), chance.make_generator(layer))
        renamed |= _rename_linear(tensors, f"{theirs}.conv.modulation", f"{ours}.conv.affine")
        renamed[f"{ours}.conv.weight"] = tensors[f"{theirs}.conv.weight"][0]
        renamed[f"{ours}.strength"] = tensors[f"{theirs}.noise.weight"]
        renamed[f"{ours}.bias"] = tensors[f"{theirs}.activate.bias"].flatten()
        renamed[f"{ours}.noise"] = tensors.get(f"noises.noise_{layer}", drawn)
    for level in range(len(network.to_images)):
        theirs, ours = "to_rgb1" if level == 0 else f"to_rgbs.{level - 1}", f"to_images.{level}"
        renamed |= _rename_linear(tensors, f"{theirs}.conv.modulation", f"{ours}.affine")
        renamed[f"{ours}.weight"] = tensors[f"{theirs}.conv.weight"][0, :, :, 0, 0]
        renamed[f"{ours}.bias"] = tensors[f"{theirs}.bias"].flatten()
    return renamed


def _rename_linear(tensors: NamedTensors, theirs: str, ours: str) -> dict[str, Tensor]:
    return {f"{ours}.{name}": tensors[f"{theirs}.{name}"] for name in ("weight", "bias")}

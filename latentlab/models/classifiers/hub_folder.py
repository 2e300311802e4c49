"""A classifier as Hugging Face keeps it: a folder of config, safetensors and the processor's mean, std and size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from latentlab.errors import UserError
from latentlab.models.classifiers.architectures import build_architecture
from latentlab.models.classifiers.external import ClassifierSettings, NormalisedClassifier, wrap_classifier
from latentlab.models.classifiers.weights_file import load_weights
from latentlab.types import ImageShape
from latentlab.untrusted import parse_json, show_value

HUB_CONFIG_FILE, PROCESSOR_FILE, WEIGHTS_FILE = "config.json", "preprocessor_config.json", "model.safetensors"
DEFAULT_SIDE = 224


def load_hub_folder(folder: Path, worlds: Sequence[ImageShape] = ()) -> NormalisedClassifier:
    """Return the classifier of a folder on this disk; nothing is downloaded, and no code of the folder is run."""
    config = _read_json(folder / HUB_CONFIG_FILE)
    if not (folder / WEIGHTS_FILE).is_file():
        raise UserError(f"{folder} has no {WEIGHTS_FILE}; save it with save_pretrained(…, safe_serialization=True).")
    try:
        if "pretrained_cfg" in config:
            return _load_timm_folder(folder, config, worlds)
        return _load_transformers_folder(folder, config, worlds)
    except (KeyError, TypeError, ValueError, AttributeError, OSError) as error:
        raise UserError(f"{folder}: its files do not go together ({show_value(error, 120)}).") from error


def _load_timm_folder(folder: Path, config: Mapping[str, Any], worlds: Sequence[ImageShape]) -> NormalisedClassifier:
    given = config["pretrained_cfg"]
    names = tuple(config.get("label_names") or given.get("label_names") or map(str, range(config["num_classes"])))
    network = build_architecture(f"timm:{config['architecture']}", len(names))
    notes = load_weights(folder / WEIGHTS_FILE, f"timm:{config['architecture']}", network)
    channels, height, width = given["input_size"]
    wrapped = wrap_classifier(
        network, ClassifierSettings(names, given["mean"], given["std"], (channels, height, width)), worlds
    )
    wrapped.notes = (*notes, *wrapped.notes)
    return wrapped


def _load_transformers_folder(
    folder: Path, config: Mapping[str, Any], worlds: Sequence[ImageShape]
) -> NormalisedClassifier:
    names = _list_labels(config)
    processor = _read_json(folder / PROCESSOR_FILE)
    mean, std = processor.get("image_mean", (0.5, 0.5, 0.5)), processor.get("image_std", (0.5, 0.5, 0.5))
    settings = ClassifierSettings(names, mean, std, (len(mean), *_read_size(processor, config)))
    return wrap_classifier(_open_transformers(folder), settings, worlds)


def _open_transformers(folder: Path) -> nn.Module:
    try:
        from transformers import AutoModelForImageClassification  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise UserError(
            f"{folder} holds a network of the library transformers, which is not installed: `pip install transformers`."
        ) from error
    return AutoModelForImageClassification.from_pretrained(
        folder, local_files_only=True, use_safetensors=True, trust_remote_code=False
    ).eval()


def _list_labels(config: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names in the order of the outputs; JSON has numbers as text."""
    by_place = {int(place): str(name) for place, name in config["id2label"].items()}
    return tuple(by_place[place] for place in range(len(by_place)))


def _read_size(processor: Mapping[str, Any], config: Mapping[str, Any]) -> tuple[int, int]:
    """Return height and width of what the processor gives: of its crop, else of its resizing."""
    size = (processor.get("do_center_crop") and processor.get("crop_size")) or processor.get("size") or {}
    side = config.get("image_size", DEFAULT_SIDE)
    if isinstance(size, int):
        return size, size
    short = size.get("shortest_edge", side)
    return int(size.get("height", short)), int(size.get("width", short))


def _read_json(path: Path) -> dict[str, Any]:
    try:
        found = parse_json(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {show_value(error, 80)}.") from error
    if not isinstance(found, dict):
        raise UserError(f"{path} is no object of JSON.")
    return found

"""Classifiers as Hugging Face keeps them: the folder's own mean, std, size and names; nothing of it is run."""

from __future__ import annotations

import json
import sys
import types
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from latentlab.errors import UserError
from latentlab.models.classifiers.hub_folder import load_hub_folder
from latentlab.torchvision_schemas import import_torchvision

MEAN, STD = [0.1, 0.2, 0.3], [0.5, 0.6, 0.7]


def write_folder(folder: Path, config: dict[str, Any], processor: dict[str, Any] | None = None) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "preprocessor_config.json").write_text(json.dumps(processor or {}))
    return folder


def normalise(images: Tensor) -> Tensor:
    mean, std = (torch.tensor(values)[:, None, None] for values in (MEAN, STD))
    return (images - mean) / std


def test_a_folder_of_timm(tmp_path: Path) -> None:
    import_torchvision()
    import timm

    torch.manual_seed(0)
    network = timm.create_model("test_resnet", num_classes=3).eval()
    given = {"input_size": [3, 64, 64], "mean": MEAN, "std": STD}
    config = {"architecture": "test_resnet", "num_classes": 3, "label_names": ["a", "b", "c"], "pretrained_cfg": given}
    save_file(network.state_dict(), write_folder(tmp_path / "net", config) / "model.safetensors")
    wrapped, images = load_hub_folder(tmp_path / "net"), torch.rand(2, 3, 64, 64)
    assert (wrapped.image_shape, wrapped.classes) == ((3, 64, 64), ("a", "b", "c"))
    torch.testing.assert_close(wrapped(images), network(normalise(images)), atol=1e-5, rtol=1e-4)


class Answers(nn.Module):
    """As networks of transformers are: the argument is called pixel_values, the answer has `logits`."""

    def forward(self, pixel_values: Tensor) -> Any:
        return types.SimpleNamespace(logits=pixel_values.mean((2, 3))[:, :2])


TRANSFORMERS_CONFIG = {"architectures": ["ViTForImageClassification"], "id2label": {"1": "dog", "0": "cat"}}
PROCESSOR = {"image_mean": MEAN, "image_std": STD, "size": {"height": 40, "width": 48}}


def test_a_folder_of_transformers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}

    class AutoModelForImageClassification:
        @staticmethod
        def from_pretrained(folder: Path, **flags: Any) -> nn.Module:
            asked.update(flags)
            return Answers()

    library = types.ModuleType("transformers")
    library.AutoModelForImageClassification = AutoModelForImageClassification  # pyright: ignore
    monkeypatch.setitem(sys.modules, "transformers", library)
    write_folder(tmp_path / "net", TRANSFORMERS_CONFIG, PROCESSOR)
    (tmp_path / "net" / "model.safetensors").write_bytes(b"")
    wrapped, images = load_hub_folder(tmp_path / "net"), torch.rand(2, 3, 40, 48)
    assert (wrapped.image_shape, wrapped.classes) == ((3, 40, 48), ("cat", "dog"))
    torch.testing.assert_close(wrapped(images), normalise(images).mean((2, 3))[:, :2])
    assert asked == {"local_files_only": True, "use_safetensors": True, "trust_remote_code": False}


@pytest.mark.parametrize(
    ("config", "weights", "says"),
    [
        (TRANSFORMERS_CONFIG, True, "pip install transformers"),
        (TRANSFORMERS_CONFIG, False, "no model.safetensors"),
        ({}, True, "do not go together"),
        ({"pretrained_cfg": {}, "architecture": "resnet18"}, True, "do not go together"),
        ({"pretrained_cfg": {"input_size": [3, 8, 8]}, "architecture": "nothing", "num_classes": 2}, True, "nothing"),
        ([], True, "no object"),
    ],
)
def test_a_folder_that_cannot_be_read(
    config: Any, weights: bool, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    write_folder(tmp_path / "net", config)
    if weights:
        (tmp_path / "net" / "model.safetensors").write_bytes(b"")
    with pytest.raises(UserError, match=says) as caught:
        load_hub_folder(tmp_path / "net")
    assert "\n" not in str(caught.value)

"""torchvision's and timm's architectures by name, untrained."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from torch import nn

from latentlab.errors import UserError
from latentlab.torchvision_schemas import import_torchvision


def build_architecture(architecture: str, count: int) -> nn.Module:
    """Make an untrained network that answers `count` classes."""
    library, _, name = architecture.partition(":")
    vision = import_torchvision()  # timm imports it too, and fails beside a CPU torch where that has not been done
    if library == "torchvision":
        _check_architecture(name, vision.models.list_models(module=vision.models), library)
        return vision.models.get_model(name, weights=None, num_classes=count)
    if library == "timm":
        import timm

        _check_architecture(name, timm.list_models(), library)
        return timm.create_model(name, pretrained=False, num_classes=count)
    raise UserError(
        f"{architecture[:60]!r} names no architecture; write torchvision:resnet18 or timm:resnet18, for example."
    )


def _check_architecture(name: str, names: Sequence[str], library: str) -> None:
    if name not in names:
        near = difflib.get_close_matches(name, names, 3) or ["resnet18"]
        raise UserError(f"{library} has no architecture {name[:60]!r}; did you mean {' or '.join(near)}?")

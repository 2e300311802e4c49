"""Import torchvision beside a CPU-only torch.

The registry's torchvision wheel is a CUDA build: beside a CPU torch its operators are not loaded, and its import fails
because two operator schemas are missing. Declaring these two is enough for its networks, transforms and data sets; its
own operators (nms, roi_align, image decoding) stay unavailable and say so. A torchvision that imports by itself is left
alone.
"""

from __future__ import annotations

import sys
from functools import cache
from types import ModuleType

import torch

_NMS_SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"


@cache
def import_torchvision() -> ModuleType:
    """Return the torchvision module, imported on first use."""
    try:
        import torchvision as module
    except RuntimeError:
        for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
            del sys.modules[name]
        _declare_schemas()
        import torchvision as module
    return module


@cache
def _declare_schemas() -> torch.library.Library:
    """Declare the schemas; the library object must live as long as they do: the cache keeps it."""
    library = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        library.define(name + _NMS_SCHEMA)
    return library

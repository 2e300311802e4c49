"""What somebody else's training loop gives: images of any float type, labels as numbers, columns or soft rows."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from latentlab.errors import UserError
from latentlab.torch_modes import copy_inference_tensor
from latentlab.types import Images, Targets

MAX_ROUNDING = 1e-3  # how far rounding takes an image out of [0, 1], half precision included
MAX_SUM_ERROR = 1e-2  # how far the shares of a soft label may miss 1


def prepare_images(images: Tensor) -> Images:
    """Return float32 images in [0, 1]; what rounding took out of that is clamped."""
    if images.ndim != 4:
        raise UserError(f"The images have shape {list(images.shape)}; give a batch B C H W, one image as images[None].")
    if not images.is_floating_point():
        raise UserError("The images are whole numbers; divide them by 255 so that they are from 0 to 1.")
    images = copy_inference_tensor(images.detach()).float()
    if not len(images):
        return images
    low, high = float(images.min()), float(images.max())
    if not -MAX_ROUNDING <= low <= high <= 1 + MAX_ROUNDING:
        raise UserError(
            f"The images are from {low:.3g} to {high:.3g}; augment them in [0, 1], before normalising, and after a "
            "bicubic resize clamp them: images.clamp(0, 1)."
        )
    return images.clamp(0, 1)


def prepare_targets(labels: Tensor, count: int, classes: int) -> Targets:
    """Return one soft row for each of `count` images; `classes` is 0 where their number is not known."""
    labels = copy_inference_tensor(labels.detach())
    if labels.ndim not in (1, 2) or len(labels) != count:
        raise UserError(
            f"The labels have shape {list(labels.shape)}; for {count} images give {count} class numbers, or "
            f"{count} rows of {classes or 'K'} shares."
        )
    if labels.ndim == 1 or (labels.shape[1] == 1 and classes != 1):
        return _number_targets(labels.reshape(count), classes)
    return _check_shares(labels, classes)


def _number_targets(labels: Tensor, classes: int) -> Targets:
    if not classes:
        raise UserError("How many classes there are is not known; give Augment(…, classes=10) or soft labels.")
    if labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool:
        raise UserError(f"The labels are {labels.dtype}; class numbers are whole: labels.long(), or give soft rows.")
    if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < classes:
        raise UserError(f"Labels are {labels.min()} to {labels.max()}; the classes are 0 to {classes - 1}.")
    return one_hot(labels.long(), classes).float()


def _check_shares(labels: Tensor, classes: int) -> Targets:
    shares = labels.float()
    if classes and shares.shape[1] != classes:
        raise UserError(f"The soft labels have {shares.shape[1]} columns; there are {classes} classes.")
    if not len(shares):
        return shares
    if not shares.isfinite().all() or float(shares.min()) < 0:
        raise UserError("The soft labels hold negative values or NaN; give shares, such as logits.softmax(1).")
    worst = float((shares.sum(1) - 1).abs().max())
    if worst > MAX_SUM_ERROR:
        raise UserError(
            f"The rows of the soft labels add up to 1 only within {worst:.2g}; give shares, not counts or attributes: "
            "labels / labels.sum(1, keepdim=True)."
        )
    return shares

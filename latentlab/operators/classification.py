"""This module looks at a classifier without leaving a trace on it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from weakref import WeakKeyDictionary

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from latentlab.errors import UserError
from latentlab.operators.latent_operator import decode, require_classifier
from latentlab.types import Bench, Images, Latents, Logits, Targets

_eval_lock = Lock()
_eval_users: WeakKeyDictionary[nn.Module, int] = WeakKeyDictionary()
_training_layers: WeakKeyDictionary[nn.Module, list[nn.Module]] = WeakKeyDictionary()


@contextmanager
def hold_eval_mode(module: nn.Module) -> Iterator[None]:
    """Hold eval mode inside, and put every layer back afterwards into the mode it had; the last of several threads to
    leave restores it.
    """
    with _eval_lock:
        _eval_users[module] = _eval_users.get(module, 0) + 1
        if _eval_users[module] == 1:
            _training_layers[module] = [layer for layer in module.modules() if layer.training]
            _set_training(_training_layers[module], False)
    try:
        yield
    finally:
        with _eval_lock:
            _eval_users[module] -= 1
            if not _eval_users[module]:
                _set_training(_training_layers.pop(module), True)


def _set_training(layers: list[nn.Module], mode: bool) -> None:
    for layer in layers:
        layer.training = mode


def compute_logits(bench: Bench, images: Images) -> Logits:
    classifier = require_classifier(bench)
    with hold_eval_mode(classifier):
        return classifier(images)


def compute_losses(logits: Logits, targets: Float[Tensor, "B J"]) -> Float[Tensor, " B"]:
    """Return the cross entropy of each image in nats, against soft labels."""
    if logits.shape != targets.shape:
        found = f"The labels have {targets.shape[1]} classes, the classifier {logits.shape[1]}"
        raise UserError(f"{found}; choose a classifier of this data.")
    return cross_entropy(logits, targets, reduction="none")


@torch.no_grad()
def compute_latent_losses(latents: Latents, targets: Targets, bench: Bench) -> Float[Tensor, " B"]:
    """Say how badly the classifier does on the decoded latents."""
    return compute_losses(compute_logits(bench, decode(bench.model, latents)), targets)


def compute_margins(logits: Logits, targets: Targets) -> Float[Tensor, " B"]:
    """Return the logit of the label minus the best other logit: below 0 the label is lost."""
    label = targets.argmax(1, keepdim=True)
    others = logits.scatter(1, label, -torch.inf)
    return logits.gather(1, label)[:, 0] - others.amax(1)

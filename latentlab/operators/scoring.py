"""A classifier looked at without leaving a trace on it."""

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
from latentlab.operators.move import classifier_of, decode
from latentlab.types import Bench, Images, Latents, Logits, Targets

_lock = Lock()
_users: WeakKeyDictionary[nn.Module, int] = WeakKeyDictionary()
_training: WeakKeyDictionary[nn.Module, list[nn.Module]] = WeakKeyDictionary()


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Eval mode inside, afterwards every layer in the mode it had; the last of several threads to leave restores it."""
    with _lock:
        _users[module] = _users.get(module, 0) + 1
        if _users[module] == 1:
            _training[module] = [layer for layer in module.modules() if layer.training]
            _set_training(_training[module], False)
    try:
        yield
    finally:
        with _lock:
            _users[module] -= 1
            if not _users[module]:
                _set_training(_training.pop(module), True)


def _set_training(layers: list[nn.Module], mode: bool) -> None:
    for layer in layers:
        layer.training = mode


def logits_of(bench: Bench, images: Images) -> Logits:
    classifier = classifier_of(bench)
    with evaluating(classifier):
        return classifier(images)


def loss_of(logits: Logits, targets: Float[Tensor, "B J"]) -> Float[Tensor, " B"]:
    """Cross entropy of each image in nats, against soft labels."""
    if logits.shape != targets.shape:
        found = f"The labels have {targets.shape[1]} classes, the classifier {logits.shape[1]}"
        raise UserError(f"{found}; choose a classifier of this data.")
    return cross_entropy(logits, targets, reduction="none")


@torch.no_grad()
def latent_loss(latents: Latents, targets: Targets, bench: Bench) -> Float[Tensor, " B"]:
    """How badly the classifier does on the decoded latents."""
    return loss_of(logits_of(bench, decode(bench.model, latents)), targets)


def margin_of(logits: Logits, targets: Targets) -> Float[Tensor, " B"]:
    """Logit of the label minus the best other logit: below 0 the label is lost."""
    label = targets.argmax(1, keepdim=True)
    others = logits.scatter(1, label, -torch.inf)
    return logits.gather(1, label)[:, 0] - others.amax(1)

"""LatentLab: see what a latent-space augmentation does to images before paying for the training.

    import latentlab as ll
    store = ll.Store()
    bench = ll.Bench(model=store.load("digits-glow"), classifier=store.load("digits-resnet"), rng=torch.Generator())
    hard = ll.operators.Adversary(epsilon=1.0)(ll.Batch(images, targets), bench)

Each name is imported when it is first used: `import latentlab` alone costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from latentlab import operators
    from latentlab.auditing.library import audit
    from latentlab.augment import Augment
    from latentlab.cli.app import close, launch
    from latentlab.errors import UserError
    from latentlab.own_space import space
    from latentlab.store import Store
    from latentlab.types import Batch, Bench, Latents

__all__ = [
    "Augment",
    "Batch",
    "Bench",
    "Latents",
    "Store",
    "UserError",
    "audit",
    "close",
    "launch",
    "operators",
    "space",
]

_MODULE_OF_NAME = {
    "Augment": "latentlab.augment",
    "Batch": "latentlab.types",
    "Bench": "latentlab.types",
    "Latents": "latentlab.types",
    "Store": "latentlab.store",
    "UserError": "latentlab.errors",
    "audit": "latentlab.auditing.library",
    "close": "latentlab.cli.app",
    "launch": "latentlab.cli.app",
    "space": "latentlab.own_space",
}


def __getattr__(name: str) -> Any:
    if name == "operators":
        return import_module("latentlab.operators")
    if name not in _MODULE_OF_NAME:
        raise AttributeError(f"module 'latentlab' has no attribute {name!r}")
    return getattr(import_module(_MODULE_OF_NAME[name]), name)


def __dir__() -> list[str]:
    return __all__

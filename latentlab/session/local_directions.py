"""The directions that hold at one picture alone, each found once: a slider along them asks again with every move."""

from __future__ import annotations

from collections.abc import Iterable

from latentlab.operators.local_directions import (
    asks_classifier,
    find_local_direction,
    is_local_direction,
    needs_images,
)
from latentlab.session.cache import hash_pictures
from latentlab.session.state import Session
from latentlab.session.workspace import Workspace
from latentlab.types import Bench, Flat, Latents


def recall_local_directions(
    workspace: Workspace, session: Session, names: Iterable[str], latents: Latents, bench: Bench
) -> dict[str, Flat]:
    """Return those of the named directions that hold at these codes alone."""
    found = {}
    for name in filter(is_local_direction, names):
        if needs_images(name) and bench.encode_references:
            bench.encode_references()  # takes seconds the first time, and nobody else is to wait for it
        reader = (session.classifier, workspace.store.digest(session.classifier)) if session.classifier else ()
        about = reader if asks_classifier(name) else ()
        key = ("direction", name, workspace.store.digest(session.model), session.world, *about)
        found[name] = workspace.recall_result(
            (*key, hash_pictures(latents.flat)), lambda name=name: find_local_direction(name, latents, bench)
        )
    return found

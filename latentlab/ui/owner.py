"""Whose runs they are: a secret of the browser, kept by it alone."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import gradio as gr

from latentlab.runs import new_token
from latentlab.session import Desk

LETTERS = range(20, 201)
Kept = dict[str, Any]


def kept(desk: Desk, key: str) -> gr.BrowserState:
    """What the browser keeps under this name for this installation, also when page and server are gone.

    The secret only keeps installations apart that are served at the same address one after another.
    """
    place = str(Path(desk.store.folder).resolve())
    secret = hashlib.sha256(place.encode()).hexdigest()[:32]
    return gr.BrowserState(None, storage_key=f"latentlab-{key}", secret=secret, render=False)


def loaded(owner: gr.BrowserState, blocks: gr.Blocks) -> None:
    """A browser that has no token yet gets one."""
    owner.render()
    blocks.load(token_of, owner, owner, show_progress="hidden", api_visibility="private", concurrency_limit=None)


def token_of(owner: object) -> str:
    """The token that the browser has kept, else a new one."""
    return str(owner) if known(owner) else new_token()


def known(owner: object) -> bool:
    """Whether the browser has said already whose runs it wants."""
    return isinstance(owner, str) and len(owner) in LETTERS


def chosen_of(kept: object) -> Kept:
    """The run that was chosen last and those beside it; a visitor's words."""
    found = kept if isinstance(kept, dict) else {}
    beside = found.get("beside")
    names = [name for name in beside if isinstance(name, str)][:4] if isinstance(beside, list) else []
    run = found.get("run")
    return {"run": run if isinstance(run, str) else "", "beside": names}

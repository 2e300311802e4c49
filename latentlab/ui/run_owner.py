"""This module says whose runs they are: a secret of the browser, kept by it alone."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import gradio as gr

from latentlab.runs import make_token
from latentlab.session import Workspace
from latentlab.ui.events import FREE_LANE, QUIET_OPTIONS

TOKEN_LENGTHS = range(20, 201)
KeptChoice = dict[str, Any]


def make_browser_state(workspace: Workspace, key: str) -> gr.BrowserState:
    """Make the state that a browser keeps under this name for this installation, also when page and server are gone.

    The secret only keeps installations apart that are served at the same address one after another.
    """
    place = str(Path(workspace.store.folder).resolve())
    secret = hashlib.sha256(place.encode()).hexdigest()[:32]
    return gr.BrowserState(None, storage_key=f"latentlab-{key}", secret=secret, render=False)


def issue_token_on_load(owner: gr.BrowserState, blocks: gr.Blocks) -> None:
    """Give a browser that has no token yet one when the page loads."""
    owner.render()
    blocks.load(ensure_token, owner, owner, **QUIET_OPTIONS, **FREE_LANE)


def ensure_token(owner: object) -> str:
    """Return the token that the browser has kept, else a new one."""
    return str(owner) if has_token(owner) else make_token()


def has_token(owner: object) -> bool:
    """Say whether the browser has said already whose runs it wants."""
    return isinstance(owner, str) and len(owner) in TOKEN_LENGTHS


def read_run_choice(kept: object) -> KeptChoice:
    """Return the run that was chosen last and those beside it; a visitor's words."""
    found = kept if isinstance(kept, dict) else {}
    beside = found.get("beside")
    names = [name for name in beside if isinstance(name, str)][:4] if isinstance(beside, list) else []
    run = found.get("run")
    return {"run": run if isinstance(run, str) else "", "beside": names}

"""The result as lines of Python that make it again, from the pictures inside its PNG."""

from __future__ import annotations

import json

from latentlab.knobs import changed
from latentlab.operators import Mix, Move, Swap
from latentlab.session.desk import Desk
from latentlab.session.keep import file_name
from latentlab.session.state import Session
from latentlab.session.verbs import batch_of
from latentlab.store import BROUGHT

ALONE = "    result = tool(batch, bench).images[0]"
PAIR = """    codes = [encode(bench.model, picture[None]).parts for picture in pictures]  # one by one, as on the page
    latents = ll.Latents({name: torch.cat([code[name] for code in codes]) for name in codes[0]})
    result = decode(bench.model, tool.move(latents, batch, bench)[0][[0]])[0]"""


def as_python(desk: Desk, session: Session) -> str:
    """Lines that run beside the exported PNG and a folder of checkpoints, and give the same 256 levels."""
    tool = session.result.tool
    pair, kind = isinstance(tool, Mix | Swap), type(tool).__name__
    targets = batch_of(desk, session, tool).targets
    networks = ", ".join(said(name) for name in (session.model, session.classifier) if name)
    own = [name for name in (session.model, session.classifier) if name and desk.store.card(name).kind == BROUGHT]
    first = "".join(
        f"# First your own network: store.add({said(name)}, …), as you gave it to the page.\n" for name in own
    )
    return f"""\
from pathlib import Path

import torch
from torch.nn.functional import one_hot

import latentlab as ll
from latentlab import images
from latentlab.operators import {f"{kind}, decode, encode" if pair else kind}
from latentlab.session import pictures_in

store = ll.Store("checkpoints")
{first}bench = store.bench({networks}, seed={session.seed})
pictures = pictures_in(Path({said(file_name(session))}).read_bytes()).to(store.device)
labels = one_hot(torch.tensor({targets.argmax(1).tolist()}), {targets.shape[1]}).float()
batch = ll.Batch(pictures, labels.to(store.device))
tool = {call(tool)}
with torch.no_grad():
{PAIR if pair else ALONE}
Path("again.png").write_bytes(images.png(result))
"""


def call(tool: Move) -> str:
    """The tool as it is made, with the knobs that differ from its own."""
    knobs = ", ".join(f"{name}={said(value)}" for name, value in changed(tool).items())
    return f"{type(tool).__name__}({knobs})"


def said(value: object) -> str:
    """A value as Python reads it, text in double quotes."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)

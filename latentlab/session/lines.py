"""The result as lines of Python that make it again, from the pictures inside its PNG."""

from __future__ import annotations

import json
from collections.abc import Sequence

from latentlab.knobs import changed
from latentlab.operators import Mix, Move, Swap
from latentlab.session.desk import REFINE, Desk
from latentlab.session.keep import file_name
from latentlab.session.state import Session
from latentlab.session.verbs import batch_of
from latentlab.store import BROUGHT

ALONE = "    result = tool(batch, bench).images[0]"
MOVED = "    result = decode(bench.model, tool.move(latents, batch, bench)[0][[0]])[0]"
ONE_BY_ONE = """    codes = [{codes}]{why}
    latents = ll.Latents({{name: torch.cat([code[name] for code in codes]) for name in codes[0]}})"""
MANY = """\
from pathlib import Path

import torch
from torch.nn.functional import one_hot

import latentlab as ll
from latentlab import images
from latentlab.operators import {imports}


def read(file):
    picture = images.read(Path(file).read_bytes())
    return images.fit_to(picture, (3, picture.height, picture.width))


store = ll.Store("checkpoints")
{first}tool = {tool}
files = sorted(Path("originals").glob("*.png"))
numbers = {numbers}  # the class of each picture{and_partner}
Path("again").mkdir(exist_ok=True)
for file, own in zip(files, numbers, strict=True):
    bench = store.bench({networks}, seed={seed})  # every picture draws from the same seed, as on the page
    pictures = torch.stack([{pictures}]).to(store.device)
    batch = ll.Batch(pictures, one_hot(torch.tensor(own), {classes}).float().to(store.device))
    with torch.no_grad():
{path}
    (Path("again") / file.name).write_bytes(images.png(result))
"""


def as_python(desk: Desk, session: Session) -> str:
    """Lines that run beside the exported PNG and a folder of checkpoints, and give the same 256 levels."""
    tool = session.result.tool
    targets = batch_of(desk, session, tool).targets
    path = way(isinstance(tool, Mix | Swap), session.model in session.refined)
    return f"""\
from pathlib import Path

import torch
from torch.nn.functional import one_hot

import latentlab as ll
from latentlab import images
from latentlab.operators import {imported(tool, path)}
from latentlab.session import pictures_in

store = ll.Store("checkpoints")
{added(desk, session)}bench = store.bench({networks(session)}, seed={session.seed})
pictures = pictures_in(Path({said(file_name(session))}).read_bytes()).to(store.device)
labels = one_hot(torch.tensor({targets.argmax(1).tolist()}), {targets.shape[1]}).float()
batch = ll.Batch(pictures, labels.to(store.device))
tool = {call(tool)}
with torch.no_grad():
{path}
Path("again.png").write_bytes(images.png(result))
"""


def as_python_of_many(desk: Desk, views: Sequence[Session]) -> str:
    """Lines that run inside the unpacked zip, beside a folder of checkpoints: each picture alone, as on the page."""
    session, tool = views[0], views[0].result.tool
    pair, refined = isinstance(tool, Mix | Swap), session.model in session.refined
    targets = [batch_of(desk, view, tool).targets for view in views]
    path = way(pair, refined)
    return MANY.format(
        imports=imported(tool, path),
        first=added(desk, session),
        tool=call(tool),
        numbers=[target.argmax(1).tolist() for target in targets],
        and_partner=" and of its partner" if pair else "",
        networks=networks(session),
        seed=session.seed,
        pictures='read(file), read("partner.png")' if pair else "read(file)",
        classes=targets[0].shape[1],
        path="\n".join(f"    {line}" for line in path.splitlines()),
    )


def way(pair: bool, refined: bool) -> str:
    """From the pictures to the result, indented once."""
    encoded = f"encode(bench.model, pictures[:1], refine={REFINE})"
    if pair and refined:
        codes, why = f"{encoded}.parts, encode(bench.model, pictures[1:]).parts", ""
    elif pair:
        codes, why = (
            "encode(bench.model, picture[None]).parts for picture in pictures",
            "  # one by one, as on the page",
        )
    else:
        return f"    latents = {encoded}\n{MOVED}" if refined else ALONE
    return f"{ONE_BY_ONE.format(codes=codes, why=why)}\n{MOVED}"


def imported(tool: Move, path: str) -> str:
    return f"{type(tool).__name__}, decode, encode" if path != ALONE else type(tool).__name__


def networks(session: Session) -> str:
    return ", ".join(said(name) for name in (session.model, session.classifier) if name)


def added(desk: Desk, session: Session) -> str:
    """A line for each network that is on no disk."""
    own = [name for name in (session.model, session.classifier) if name and desk.store.card(name).kind == BROUGHT]
    return "".join(
        f"# First your own network: store.add({said(name)}, …), as you gave it to the page.\n" for name in own
    )


def call(tool: Move) -> str:
    """The tool as it is made, with the knobs that differ from its own."""
    knobs = ", ".join(f"{name}={said(value)}" for name, value in changed(tool).items())
    return f"{type(tool).__name__}({knobs})"


def said(value: object) -> str:
    """A value as Python reads it, text in double quotes."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)

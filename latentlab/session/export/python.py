"""The result as lines of Python that make it again, from the pictures inside its PNG."""

from __future__ import annotations

import json
from collections.abc import Sequence

from latentlab import operators
from latentlab.knobs import list_changed_knobs
from latentlab.operators import LatentOperator
from latentlab.session.actions import make_move_batch
from latentlab.session.export.png import name_png
from latentlab.session.state import Session
from latentlab.session.workspace import REFINE_STEPS, Workspace

TOOL_LINE = "    result = tool(batch, bench).images[0]"
DECODE_LINE = "    result = decode(bench.model, tool.move(latents, batch, bench)[0][[0]])[0]"
ENCODE_LINES = """    codes = [{codes}]{why}
    latents = ll.Latents({{name: torch.cat([code[name] for code in codes]) for name in codes[0]}})"""
ZIP_SCRIPT = """\
from pathlib import Path

import torch
from torch.nn.functional import one_hot

import latentlab as ll
from latentlab import images
{imports}


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


def export_python(workspace: Workspace, session: Session) -> str:
    """Write lines that run beside the exported PNG and a folder of checkpoints, and give the same 256 levels."""
    tool = session.result.tool
    targets = make_move_batch(workspace, session, tool).targets
    path = write_path(tool.needs_partner, session.model in session.refined)
    return f"""\
from pathlib import Path

import torch
from torch.nn.functional import one_hot

import latentlab as ll
from latentlab import images
{write_imports(tool, path)}
from latentlab.session import pictures_in

store = ll.Store("checkpoints")
{mention_own_networks(workspace, session)}bench = store.bench({quote_networks(session)}, seed={session.seed})
pictures = pictures_in(Path({write_literal(name_png(session))}).read_bytes()).to(store.device)
labels = one_hot(torch.tensor({targets.argmax(1).tolist()}), {targets.shape[1]}).float()
batch = ll.Batch(pictures, labels.to(store.device))
tool = {write_call(tool)}
with torch.no_grad():
{path}
Path("again.png").write_bytes(images.png(result))
"""


def export_zip_python(workspace: Workspace, views: Sequence[Session]) -> str:
    """Write lines that run inside the unpacked zip, beside a folder of checkpoints.

    They move each picture alone, as on the page.
    """
    session, tool = views[0], views[0].result.tool
    pair, refined = tool.needs_partner, session.model in session.refined
    targets = [make_move_batch(workspace, view, tool).targets for view in views]
    path = write_path(pair, refined)
    return ZIP_SCRIPT.format(
        imports=write_imports(tool, path),
        first=mention_own_networks(workspace, session),
        tool=write_call(tool),
        numbers=[target.argmax(1).tolist() for target in targets],
        and_partner=" and of its partner" if pair else "",
        networks=quote_networks(session),
        seed=session.seed,
        pictures='read(file), read("partner.png")' if pair else "read(file)",
        classes=targets[0].shape[1],
        path="\n".join(f"    {line}" for line in path.splitlines()),
    )


def write_path(pair: bool, refined: bool) -> str:
    """Write the lines that lead from the pictures to the result, indented once."""
    encoded = f"encode(bench.model, pictures[:1], refine={REFINE_STEPS})"
    if pair and refined:
        codes, why = f"{encoded}.parts, encode(bench.model, pictures[1:]).parts", ""
    elif pair:
        codes, why = (
            "encode(bench.model, picture[None]).parts for picture in pictures",
            "  # one by one, as on the page",
        )
    else:
        return f"    latents = {encoded}\n{DECODE_LINE}" if refined else TOOL_LINE
    return f"{ENCODE_LINES.format(codes=codes, why=why)}\n{DECODE_LINE}"


def write_imports(tool: LatentOperator, path: str) -> str:
    """Write where the tool is from and, where the path wants them, the two halves of its model."""
    cls, package = type(tool), operators.__name__
    home = package if getattr(operators, cls.__name__, None) is cls else cls.__module__
    names = {home: [cls.__name__]}
    if path != TOOL_LINE:
        names[package] = [*names.get(package, []), "decode", "encode"]
    return "\n".join(f"from {module} import {', '.join(found)}" for module, found in names.items())


def quote_networks(session: Session) -> str:
    return ", ".join(write_literal(name) for name in (session.model, session.classifier) if name)


def mention_own_networks(workspace: Workspace, session: Session) -> str:
    """Write a line for each network that is on no disk."""
    own = [name for name in (session.model, session.classifier) if name and workspace.store.is_added(name)]
    return "".join(
        f"# First your own network: store.add({write_literal(name)}, …), as you gave it to the page.\n" for name in own
    )


def write_call(tool: LatentOperator) -> str:
    """Write the tool as it is made, with the knobs that differ from its own."""
    knobs = ", ".join(f"{name}={write_literal(value)}" for name, value in list_changed_knobs(tool).items())
    return f"{type(tool).__name__}({knobs})"


def write_literal(value: object) -> str:
    """Write a value as Python reads it, text in double quotes."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)

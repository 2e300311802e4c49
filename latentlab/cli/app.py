"""`latentlab app`: the page; and `latentlab.launch`, the same from a notebook."""

from __future__ import annotations

import argparse
import gc
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latentlab.cli import classifier_flags
from latentlab.cli.network_flags import add_network_flags
from latentlab.errors import UserError
from latentlab.resources import find_checkpoints_folder

if TYPE_CHECKING:
    import gradio as gr

    from latentlab.runs import Runs
    from latentlab.store import Store

HELP = "open the page"
NOTEBOOK_FRAMES = ("http://localhost:*", "http://127.0.0.1:*")
OPEN_PAGES: list[tuple[gr.Blocks, Runs | None]] = []  # of `launch`, until `close`
SPACE_VARIABLE, SPACE_PORT, SPACE_FRAME = "SPACE_ID", 7860, "https://huggingface.co"


def add_app_flags(parser: argparse.ArgumentParser, argv: Sequence[str] = ()) -> None:
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to serve at; any but this machine's own needs --auth"
    )
    parser.add_argument("--port", type=int, help="port to serve at (default: the first free one from 7860)")
    parser.add_argument(
        "--auth", default=os.environ.get("LATENTLAB_AUTH"), metavar="NAME:PASSWORD", help="login; also $LATENTLAB_AUTH"
    )
    parser.add_argument(
        "--name", action="append", default=[], metavar="HOST", help="a further host name of the page; may be repeated"
    )
    parser.add_argument(
        "--demo",
        action="store_true",
        help="for a public page: small uploads, no training, nothing that changes the disk",
    )
    parser.add_argument(
        "--root-path", default="", metavar="PATH", help="path of the page behind a proxy that serves it at /PATH"
    )
    parser.add_argument(
        "--frame", action="append", default=[], metavar="ORIGIN", help="a site that may frame the page; may be repeated"
    )
    parser.add_argument(
        "--spaces",
        action="store_true",
        default=SPACE_VARIABLE in os.environ,
        help=f"as a Hugging Face Space, also if ${SPACE_VARIABLE} is set: --demo at 0.0.0.0:7860, framed by it alone",
    )
    parser.add_argument(
        "--mcp",
        action="store_true",
        help="let assistants move pictures, too (Model Context Protocol; needs latentlab[mcp])",
    )
    parser.add_argument("--open", action="store_true", help="open it in the browser")
    add_network_flags(parser)
    parser.add_argument("--runs", default="runs", metavar="DIR", help="folder of the runs; '' for no training")
    parser.add_argument(
        "--launcher",
        default="",
        metavar="TEMPLATE",
        help="what starts a run elsewhere, with {command} as one word for a shell or {*command} as several: "
        "'sbatch --wrap {command}', 'srun {*command}'; the machines share the folder of the runs",
    )
    classifier_flags.add_classifier_flags(parser)


def run_app(args: argparse.Namespace) -> None:
    if args.spaces:
        apply_spaces_flags(args)
    options = {
        "host": args.host,
        "port": args.port,
        "login": args.auth,
        "names": args.name,
        "demo": args.demo,
        "root_path": args.root_path,
        "frames": args.frame,
        "mcp": args.mcp,
    }
    with pause_garbage_collection():
        from latentlab.store import Store

        folder = "" if args.demo else args.runs
        store = Store(args.checkpoints, args.device, folder or None)
        classifier_flags.choose_classifier(store, args)
        page = build_app_page(store, open_runs(folder, args.launcher, args.checkpoints, args.device))
    from latentlab.ui.server.launch import end_process

    serve_app(page, inbrowser=args.open, prevent_thread_lock=True, **options)
    warm_up_networks(store)
    page.block_thread()
    end_process(0)


def apply_spaces_flags(args: argparse.Namespace) -> None:
    """Serve as a Space does: to everybody under the name that it has there, without a login and without training."""
    args.host, args.port, args.demo = "0.0.0.0", args.port or SPACE_PORT, True
    args.name = [*args.name, os.environ.get("SPACE_HOST") or "localhost"]
    args.frame = [*args.frame, SPACE_FRAME]


@contextmanager
def pause_garbage_collection() -> Iterator[None]:
    """Keep what is imported and built here to the end without collecting: looking for garbage in it meanwhile would
    take a fifth of the time and find none, and later it need not be looked through again.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def open_runs(folder: str, launcher: str, checkpoints: str | Path, device: str | None) -> Runs | None:
    """Return the runs of a folder, looked after from now on; None where there is no folder."""
    if not folder:
        return None
    from latentlab.runs import Runs, files, queue

    if not files.can_lock_folders():
        print(f"latentlab: {queue.NO_RUNS_HERE}", file=sys.stderr)
        return None
    chosen = ["--device", device] if device else []
    runs = Runs(folder, launcher=launcher, flags=["--checkpoints", str(Path(checkpoints).resolve()), *chosen])
    runs.start_watching()
    return runs


def launch(
    models: Mapping[str, Any] | None = None,
    classifiers: Mapping[str, Any] | None = None,
    checkpoints: str | Path | None = None,
    device: str | None = None,
    runs: str = "runs",
    **options: Any,
) -> str:
    """Open the page with one's own networks on it and return its address.

    A classifier is an nn.Module with `classes` and `image_shape`, or a dictionary of `Store.add`'s arguments:
    `{"mine": {"network": net, "classes": names, "mean": mean, "std": std, "image_shape": (3, 32, 32)}}`.
    Options are `host`, `port`, `login` ("name:password"), `names`, `demo`, `root_path`, `frames` and `mcp`;
    `inline=True` shows it inside of a notebook. Training writes into the folder `runs`. `latentlab.close()` closes the
    page again.
    """
    from latentlab.store import Store

    folder = "" if options.get("demo") else runs
    checkpoints = checkpoints or find_checkpoints_folder()
    store = Store(checkpoints, device, folder or None)
    for name, network in {**(models or {}), **(classifiers or {})}.items():
        store.add(name, **(network if isinstance(network, Mapping) else {"network": network}))
    if options.get("inline"):
        options = {"frames": NOTEBOOK_FRAMES, "prevent_thread_lock": True, **options}
    started = open_runs(folder, "", checkpoints, device)
    page = build_app_page(store, started)
    OPEN_PAGES.append((page, started))
    return serve_app(page, **options)


def close() -> None:
    """Close every page that `launch` has opened here; runs go on, and the next page finds them."""
    while OPEN_PAGES:
        page, runs = OPEN_PAGES.pop()
        page.close(verbose=False)
        if runs is not None:
            runs.stop_watching()


def build_app_page(store: Store, runs: Runs | None) -> gr.Blocks:
    if not store.worlds:
        raise UserError(
            f"{store.folder} holds no checkpoint; give --checkpoints DIR, or make one with `latentlab fit`."
        )
    from latentlab.ui import build_page
    from latentlab.ui.server.launch import prepare_gradio

    prepare_gradio()
    return build_page(store, runs)


def warm_up_networks(store: Store) -> None:
    """Load what the first view needs while a browser still fetches the page's scripts."""
    from latentlab.session import Workspace, open_link

    with suppress(UserError):  # the first visitor reads it
        open_link(Workspace(store), {})


def serve_app(page: gr.Blocks, **options: Any) -> str:
    from latentlab.ui import load_page_style
    from latentlab.ui.server.launch import launch_page

    return launch_page(page, **load_page_style(), **options)

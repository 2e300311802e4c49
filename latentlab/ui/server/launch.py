"""This module launches the page: for this machine alone unless there is a login, nothing open that nobody needs."""

from __future__ import annotations

import atexit
import ipaddress
import os
import re
import signal
import socket
import sys
import threading
from collections.abc import Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, NoReturn

from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware

from latentlab.errors import UserError
from latentlab.image_file import MAX_IMAGE_BYTES
from latentlab.ui.gradio_patches.analytics_summary import stop_summaries
from latentlab.ui.gradio_patches.compressed_page import CompressedPage
from latentlab.ui.gradio_patches.encodable_answers import mend_answers
from latentlab.ui.gradio_patches.fair_queue import use_fair_queue
from latentlab.ui.gradio_patches.open_cors import make_app_without_cors
from latentlab.ui.gradio_patches.temporary_folder import choose_temporary_folder
from latentlab.ui.server.middleware import Gate

if TYPE_CHECKING:
    import gradio as gr

LOOPBACK_HOSTS = ("127.0.0.1", "localhost", "[::1]")
MAX_WAITING_REQUESTS = 512  # of all visitors; what one of them may have waiting stands in `fair_queue`
MAX_SESSIONS = 256  # 5.5 MB each; beyond it the one that rested longest is forgotten
CACHE_SWEEP_SECONDS = (600, 3600)  # seconds between sweeps, age of what is swept
MAX_BODY_BYTES = MAX_IMAGE_BYTES + 4_000_000  # a picture and the form around it
MAX_DEMO_BODY_BYTES = 8_000_000


def prepare_gradio() -> None:
    """Switch analytics off and give Gradio's files a folder of their own, gone at exit; call before Blocks."""
    stop_summaries()
    if choose_temporary_folder():
        exit_at_sigterm()


def exit_at_sigterm() -> None:
    """Let the signal that ends a server end it as an exit does, so that no visitor's files stay behind."""
    if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, lambda number, _: end_process(128 + number))


def end_process(code: int) -> NoReturn:
    """Do what is to be done at exit, and end: Python's own way out tears a thread that comes back from torch down in
    the midst of C++, and the process aborts.
    """
    atexit._run_exitfuncs()
    sys.stdout.flush()
    os._exit(code)


def launch_page(
    page: gr.Blocks,
    host: str = "127.0.0.1",
    port: int | None = None,
    login: str | None = None,
    names: Sequence[str] = (),
    demo: bool = False,
    root_path: str = "",
    frames: Sequence[str] = (),
    mcp: bool = False,
    **more: Any,
) -> str:
    """Launch the page behind the guard and give its address; `more` goes to `Blocks.launch` (theme, css, …)."""
    options = build_launch_options(host, port, login, names, demo, root_path, frames, mcp)
    mend_answers()
    use_fair_queue()
    page.delete_cache = CACHE_SWEEP_SECONDS
    try:
        _, url, _ = page.queue(max_size=MAX_WAITING_REQUESTS).launch(**{**options, **more})
    except OSError as error:
        raise UserError(f"The page cannot be served at {host}, port {port}: {error}. Choose another --port.") from error
    return url


def build_launch_options(
    host: str = "127.0.0.1",
    port: int | None = None,
    login: str | None = None,
    names: Sequence[str] = (),
    demo: bool = False,
    root_path: str = "",
    frames: Sequence[str] = (),
    mcp: bool = False,
) -> dict[str, Any]:
    """Build safe keywords for `Blocks.launch`; `login` is name:password, `names` are further host names of the page,
    with a port where the proxy in front of it drops that from the requests; `frames` are sites that may frame it.
    """
    if not is_loopback(host) and login is None and not (demo and names):
        raise UserError(
            f"{host} opens the page to others and needs a login: add --auth name:password, or use 127.0.0.1."
        )
    if names and login is None and not demo:
        raise UserError(
            f"--name {names[0][:80]} opens the page to others: add --auth name:password, or --demo for a page without "
            "a login, without training and with small uploads."
        )
    if mcp:
        check_assistants(login)
    limit = MAX_DEMO_BODY_BYTES if demo else MAX_BODY_BYTES
    hosts = list_host_names(host, [split_port(name) for name in names])
    stack = [
        Middleware(CompressedPage),  # before the gate, which reads the words of the page
        Middleware(Gate, body_bytes=limit, login_needed=login is not None, names=names, frames=frames),
        Middleware(TrustedHostMiddleware, allowed_hosts=hosts, www_redirect=False),
    ]
    return {
        "server_name": host,
        "server_port": port,
        "root_path": root_path or None,
        "auth": None if login is None else [split_login(login)],
        "share": False,
        "inline": False,
        "run_history": False,
        "show_error": False,
        "enable_monitoring": False,
        "ssr_mode": False,
        "mcp_server": mcp,
        "max_file_size": limit,
        "state_session_capacity": MAX_SESSIONS,
        "footer_links": ["api", "settings"],
        "_app": make_app_without_cors(stack),
    }


def check_assistants(login: str | None) -> None:
    """Refuse what Gradio's server for assistants cannot do: it asks the page as a visitor without a cookie."""
    if login is not None:
        raise UserError("--mcp does not go with --auth: assistants have no login. Serve this machine alone, or --demo.")
    if find_spec("mcp") is None:
        raise UserError('--mcp needs a package more: pip install "latentlab[mcp]".')


def is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def list_host_names(host: str, names: Sequence[str]) -> list[str]:
    """Return what a browser may write into its Host header: a foreign name is a rebinding attack."""
    if is_loopback(host):
        return [*LOOPBACK_HOSTS, host, *names]
    machine = socket.gethostname()
    return [*LOOPBACK_HOSTS, host, machine, f"{machine}.local", socket.getfqdn(), *resolve_addresses(machine), *names]


def split_port(name: str) -> str:
    """Return the host of a name that may have a port behind it."""
    return re.sub(r":\d{1,5}$", "", name)


def resolve_addresses(machine: str) -> set[str]:
    """Return the addresses under which this machine is known, none where its name does not resolve."""
    try:
        found = {str(info[4][0]) for info in socket.getaddrinfo(machine, None)}
    except OSError:
        return set()
    return {f"[{address}]" if ":" in address else address for address in found}


def split_login(login: str) -> tuple[str, str]:
    """Split name:password into the two."""
    name, colon, password = login.partition(":")
    if not (name and colon and password):
        raise UserError("The login is not name:password; write both with a colon between them.")
    return name, password

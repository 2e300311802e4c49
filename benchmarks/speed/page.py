"""The page from its command to its first answer, and from a hand on its slider to the painted picture."""

from __future__ import annotations

import atexit
import itertools
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from benchmarks.browser import REST, WARM, drag, view

ROOT = Path(__file__).parents[2]


@contextmanager
def page() -> Iterator[str]:
    """The address of a page that answers, with the shipped networks and no runs; it ends with the block."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address, environment = f"http://127.0.0.1:{port}", os.environ | {"GRADIO_ANALYTICS_ENABLED": "False"}
    with tempfile.TemporaryDirectory() as runs:
        command = [sys.executable, "app.py", "--port", str(port), "--runs", runs]
        server = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
        try:
            while not answers(address):
                assert server.poll() is None, "the page has ended"
                time.sleep(0.05)
            yield address
        finally:
            server.terminate()
            server.wait()


def answers(address: str) -> bool:
    try:
        return urlopen(address, timeout=5).status == 200
    except (URLError, OSError):
        return False


def start(entrant: str) -> Callable[[], object]:
    """Until the page answers; or what Python takes for the two packages that it cannot do without."""

    def run() -> None:
        with page():
            pass

    return run if entrant == "ours" else lambda: subprocess.run([sys.executable, "-c", entrant], check=True)


def slide(entrant: str) -> Callable[[], float]:
    """Seconds of one move in a real Chromium, from the event to the painted frame; the page stays open to the end."""
    stack = ExitStack()
    atexit.register(stack.close)
    there = stack.enter_context(view(stack.enter_context(page()), "cifar10", "cifar10-glow"))
    amounts = itertools.count(1)

    def run() -> float:
        event, _, painted = drag(there, 0.05 * next(amounts))
        there.wait_for_timeout(REST)
        return (painted - event) / 1000

    for _ in range(WARM):
        run()
    return run

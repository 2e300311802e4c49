"""Runs as processes: how a test starts one, waits for it and looks at what it leaves."""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
import time
from collections.abc import Callable
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file

from latentlab.cli import main
from latentlab.runs.writer import RunDirectory
from latentlab.training.augmented import train_loop

HEAVY = ["latentlab.cli.train", "latentlab.store", "latentlab.training.augmented", "sklearn.datasets", "torch._dynamo"]
HASTE = 0.1  # seconds between states, in place of five


def hasty(words: list[str], log: Path) -> ForkServerProcess:
    """`latentlab WORDS` that saves often; forked from a process that has imported everything, or it takes seconds."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(HEAVY)
    process = context.Process(target=_hasty, args=(words, log))
    process.start()
    return process


def _hasty(words: list[str], log: Path) -> None:
    os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND), 2)
    train_loop.STATE_SECONDS = HASTE
    sys.exit(main(words))


def wait_for(there: Callable[[], bool], lives: Callable[[], bool]) -> None:
    end = time.monotonic() + 300
    while not there():
        assert time.monotonic() < end, "it never came"
        assert lives() or there(), "the process ended first"
        time.sleep(0.02)


def told(folder: Path) -> list[dict[str, Any]]:
    return RunDirectory.open_at(folder).read_events()


def reached(folder: Path) -> int:
    """The update of the last state; 0 without one."""
    path = folder / "resume.safetensors"
    return json.loads(metadata(path)["progress"])["step"] if path.exists() else 0


def metadata(path: Path) -> dict[str, str]:
    with safe_open(path, "pt") as file:
        return file.metadata()


def same(a: Path, b: Path) -> bool:
    first, second = load_file(a), load_file(b)
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)

"""The one place that knows what the files of a run are called.

A run is a directory named by its id; the comment beside each name says what the file is for. How the files are read
and written is not said here: `files` does it for whoever looks, `writer` for the run's own process.
"""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

# The server's files.
CONFIG_FILE = "config.json"  # verb, name, owner, knobs; never changed
QUEUED_FILE = "queued"  # waits here, with its ticket; the smallest number is next
GIVEN_FILE = "given"  # handed to the launcher, whose job has not begun
CHILD_FILE = "child.json"  # the process: pid, time of its start, host
STOP_FILE = "stop"  # what the process is asked to do
ENDING_FILE = "ending.json"  # how it ended, where the process itself could not say so

# The process's own files.
EVENTS_FILE = "events.jsonl"
LOG_FILE = "log.txt"
RESUME_FILE = "resume.safetensors"  # the state to go on from
RESULT_FILE = "run.safetensors"  # the network that it has learned
SHEET_FILE = "sheet.png"  # what the latent model of a fit draws and rebuilds
SAMPLE_FILE = "batch.safetensors"  # a batch as the classifier sees it
SPARE_FILE = "spare"  # room for the last line, on a disk that is full

# The files of the folder that holds the runs.
LOCK_FILE = ".lock"
NEW_PREFIX, GONE_PREFIX = ".new-", ".gone-"  # of a directory that is being made or deleted

RUN_ID_PATTERN = re.compile(r"\d{8}-\d{6}-[0-9a-f]{6}")
FIT_VERB = "fit"
STORE_PREFIX = "run-"  # of a run's classifier, by its name in the store
RUN_CHECKPOINT_NAME = re.compile(STORE_PREFIX + RUN_ID_PATTERN.pattern)


def make_run_id() -> str:
    return f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}"


def name_run_checkpoint(run: Path) -> str:
    """Return what the classifier of the run in this directory is called in the store."""
    return f"{STORE_PREFIX}{run.name}"


@cache
def read_fitted_kind(run: Path) -> tuple[str, str] | None:
    """Return world and kind of a run that is a fit, None of any other; what was asked for never changes."""
    try:
        told = json.loads((run / CONFIG_FILE).read_bytes())
        wanted = (told["config"]["world"], told["config"]["kind"]) if told["verb"] == FIT_VERB else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return wanted if wanted and all(isinstance(word, str) for word in wanted) else None


def make_config_record(verb: str, name: str, owner: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """Return what `CONFIG_FILE` says of a run; one without an owner was made by hand."""
    return {"verb": verb, "name": name, "owner": owner, "config": dict(config)}

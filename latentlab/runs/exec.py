"""`python -m latentlab.runs.exec RUN LOCK PROGRAM …`: what becomes a run's process, on whatever machine it starts.

It says who it is before it is anything else, and only then becomes the program: same pid, same time of start. LOCK is
the inherited descriptor of the folder's lock, let go when child.json stands, so that no moment at which the server may
be killed leaves a process that nobody knows; or `-`, where a launcher started this and the lock must be asked for.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import nullcontext, suppress
from dataclasses import asdict
from pathlib import Path

from latentlab.runs import files, layout, process


def claim_run(run: Path, marker: str) -> bool:
    """Say whether this process is now the run's; not where it was taken out of the queue, or another was quicker."""
    if not (run / marker).exists():
        return False
    files.write_atomically(run / layout.CHILD_FILE, json.dumps(asdict(process.identify_self())))
    files.reopen_events(run / layout.EVENTS_FILE)
    for name in (layout.STOP_FILE, layout.ENDING_FILE, marker):
        (run / name).unlink(missing_ok=True)
    return True


def become_program(run: Path, lock: str, program: list[str]) -> None:
    """Become the program of this run, if the run is still to be had."""
    with suppress(PermissionError):  # it leads a group already
        os.setsid()
    local = lock != "-"
    if local:
        process.yield_to_page()
    with nullcontext() if local else files.lock_folder(run.parent):
        mine = claim_run(run, layout.QUEUED_FILE if local else layout.GIVEN_FILE)
    if not mine:
        return
    log = os.open(run / layout.LOG_FILE, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(log, 1)
    os.dup2(log, 2)
    if local:
        os.close(int(lock))
    os.execvp(program[0], program)


if __name__ == "__main__":
    become_program(Path(sys.argv[1]), sys.argv[2], sys.argv[3:])

"""`python -m latentlab.runs.child RUN LOCK PROGRAM …`: what becomes a run's process, on whatever machine it starts.

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

from latentlab.runs import files, process


def claim(run: Path, marker: str) -> bool:
    """Whether this process is now the run's; not where it was taken out of the queue, or another was quicker."""
    if not (run / marker).exists():
        return False
    files.write(run / files.CHILD, json.dumps(asdict(process.myself())))
    files.reopen(run / files.EVENTS)
    for name in (files.STOP, files.ENDING, marker):
        (run / name).unlink(missing_ok=True)
    return True


def main(run: Path, lock: str, program: list[str]) -> None:
    with suppress(PermissionError):  # it leads a group already
        os.setsid()
    local = lock != "-"
    if local:
        process.step_back()
    with nullcontext() if local else files.locked(run.parent):
        mine = claim(run, files.QUEUED if local else files.GIVEN)
    if not mine:
        return
    log = os.open(run / files.LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(log, 1)
    os.dup2(log, 2)
    if local:
        os.close(int(lock))
    os.execvp(program[0], program)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:])

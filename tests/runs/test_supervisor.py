"""A scheduler starts runs where it likes: the folder is all that connects it with the page."""

from __future__ import annotations

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from runs.conftest import ALICE, LONG

from latentlab.errors import UserError
from latentlab.runs import Runs, files, layout, supervisor
from latentlab.runs.run import read_child

LATER = "import sys, pathlib; pathlib.Path(sys.argv[1]).write_text(sys.argv[2])"  # as sbatch: a job, later


@pytest.mark.parametrize("launcher", ["sh -c {command}", "env {*command}", "nice -n 1 {*command}"])
def test_a_launcher_starts_a_run_and_it_is_stopped_like_any_other(
    hire: Callable[..., Runs], wait: Any, launcher: str
) -> None:
    runs = hire(launcher=launcher)
    id = runs.submit_run("train", {"steps": LONG}, "a 'name'; $(touch x)", ALICE).id
    wait(lambda: runs.find_run(id, ALICE).latest.get("step", 0) > 3)
    assert runs.find_run(id, ALICE).state == "running"
    runs.stop_run(id, ALICE)
    assert wait(lambda: not (seen := runs.find_run(id, ALICE)).is_active and seen).cause == "asked to stop"


def test_a_job_of_the_scheduler_waits_and_may_be_taken_back(
    hire: Callable[..., Runs], wait: Any, tmp_path: Path
) -> None:
    job = tmp_path / "job"
    runs = hire(launcher=shlex.join([sys.executable, "-c", LATER, str(job), "{command}"]))
    id = runs.submit_run("train", {"steps": 3}, "", ALICE).id
    wait(lambda: job.exists() and job.read_text())
    wait(lambda: runs.list_runs(ALICE) and not runs._supervisor._started)
    assert (runs.find_run(id, ALICE).state, runs.find_run(id, ALICE).position) == ("queued", 0)
    assert runs.stop_run(id, ALICE).state == "stopped"
    command = ["sh", "-c", job.read_text()]
    assert subprocess.run(command).returncode == 0
    assert runs.read_events(id, ALICE).events == ()
    job.unlink()
    runs.resume_run(id, ALICE)
    wait(lambda: job.exists() and job.read_text())
    for _ in range(2):  # a scheduler that starts it twice
        assert subprocess.run(command).returncode == 0
    assert runs.find_run(id, ALICE).state == "finished"
    assert [event["event"] for event in runs.read_events(id, ALICE).events] == ["begin", "step", "step", "step", "end"]


def test_a_scheduler_that_refuses_is_a_failure_with_its_words(hire: Callable[..., Runs], wait: Any) -> None:
    runs = hire(launcher="sh -c 'echo no such partition >&2; exit 3' {command}")
    id = runs.submit_run("train", {"steps": 3}, "", ALICE).id
    run = wait(lambda: not (seen := runs.find_run(id, ALICE)).is_active and seen)
    assert (run.state, "exit code 3" in run.cause, "no such partition" in run.cause) == ("failed", True, True)


@pytest.mark.parametrize("launcher", ["sbatch", "sbatch --wrap x{*command}", "sbatch '{command}"])
def test_a_template_without_a_place_for_the_command_is_refused(hire: Callable[..., Runs], launcher: str) -> None:
    with pytest.raises(UserError, match="launcher"):
        hire(launcher=launcher)


def test_no_word_of_a_command_can_become_two() -> None:
    command = ["python", "-m", "latentlab", "a b", "$(rm)", "'"]
    assert supervisor.fill_launcher(supervisor.parse_launcher("srun {*command}"), command) == ["srun", *command]
    one, two, three = supervisor.fill_launcher(supervisor.parse_launcher("sbatch --wrap {command}"), command)
    assert (one, two, shlex.split(three)) == ("sbatch", "--wrap", command)


def test_a_process_elsewhere_lives_as_long_as_its_files_change(
    hire: Callable[..., Runs], wait: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "HEARTBEAT_PATIENCE", 0.3)
    runs = hire()
    id = runs.submit_run("train", {"steps": LONG}, "", ALICE).id
    wait(lambda: runs.find_run(id, ALICE).latest.get("step", 0) > 3)
    child = read_child(runs.path / id)
    assert child is not None
    files.write_atomically(
        runs.path / id / layout.CHILD_FILE, json.dumps({**vars(child), "host": f"not {socket.gethostname()}"})
    )
    later = runs.find_run(id, ALICE).latest["step"] + 100
    wait(lambda: runs.find_run(id, ALICE).latest["step"] > later)
    assert runs.find_run(id, ALICE).state == "running"
    with pytest.raises(UserError, match="running"):
        runs.delete_run(id, ALICE)
    runs._supervisor.reap_children()
    os.killpg(child.pid, signal.SIGKILL)
    assert wait(lambda: (seen := runs.find_run(id, ALICE)).state == "interrupted" and seen).cause

"""A run is a directory and a process of its own; what is said of it is what its files and its process say."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from runs.conftest import ALICE, LONG, free, state, steps

from latentlab.errors import UserError
from latentlab.runs import Runs, files, layout, process, supervisor
from latentlab.runs.process import ChildProcess
from latentlab.runs.run import read_child


def test_a_run_goes_its_way_to_the_end(hire: Callable[..., Runs], wait: Any) -> None:
    runs = hire()
    run = runs.submit_run("train", {"steps": 5}, "first", ALICE)
    assert layout.RUN_ID_PATTERN.fullmatch(run.id)
    run = wait(lambda: (seen := runs.find_run(run.id, ALICE)).state == "finished" and seen)
    assert steps(runs, run.id) == [1, 2, 3, 4, 5]
    assert (run.name, run.verb, run.config, run.classifier) == ("first", "train", {"steps": 5}, f"run-{run.id}")
    assert abs(run.creation_time - time.time()) < 60


def test_it_gives_way_to_the_page(hire: Callable[..., Runs], begun: Any, wait: Any) -> None:
    runs = hire(limit=1)
    first = runs.read_events(id := begun(runs), ALICE).events[0]
    assert first["nice"] == max(process.RUN_NICENESS, os.nice(0))
    assert int(first["threads"]) == max(1, len(os.sched_getaffinity(0)) - 1)
    wait(lambda: runs.find_run(id, ALICE).is_active and runs.taken == int(first["threads"]))
    runs.stop_run(id, ALICE)
    wait(lambda: not runs.find_run(id, ALICE).is_active and runs.taken == 0)


def test_one_runs_and_the_others_wait_in_order(hire: Callable[..., Runs], wait: Any, begun: Any) -> None:
    runs = hire(limit=1)
    first = begun(runs)
    second, third = (runs.submit_run("train", {"steps": 2}, "", ALICE).id for _ in range(2))
    assert [runs.find_run(id, ALICE).position for id in (first, second, third)] == [0, 1, 2]
    runs.stop_run(second, ALICE)
    assert (state(runs, second), runs.find_run(third, ALICE).position) == ("stopped", 1)
    runs.stop_run(first, ALICE)
    wait(lambda: state(runs, third) == "finished")
    assert (state(runs, first), runs.find_run(first, ALICE).cause) == ("stopped", "asked to stop")
    assert steps(runs, second) == []


def test_stop_and_save_leaves_a_classifier_and_resume_goes_on(hire: Callable[..., Runs], wait: Any, begun: Any) -> None:
    runs = hire()
    id = begun(runs)
    assert runs.stop_run(id, ALICE, save=True).stopping in ("save", "")
    run = wait(lambda: (seen := runs.find_run(id, ALICE)).state == "stopped" and seen)
    assert run.classifier
    before = steps(runs, id)
    runs.resume_run(id, ALICE)
    wait(lambda: len(steps(runs, id)) > len(before))
    assert state(runs, id) == "running"
    runs.stop_run(id, ALICE)
    wait(lambda: state(runs, id) == "stopped")
    after = steps(runs, id)
    assert after == list(range(1, len(after) + 1))
    assert [event["event"] for event in runs.read_events(id, ALICE).events].count("end") == 1


def test_a_run_that_waits_to_go_on_and_is_taken_out_is_what_it_was(
    hire: Callable[..., Runs], wait: Any, begun: Any
) -> None:
    runs = hire(limit=1)
    id = begun(runs)
    runs.stop_run(id, ALICE)
    wait(lambda: state(runs, id) == "stopped")
    begun(runs)
    assert runs.resume_run(id, ALICE).position == 1
    assert (runs.stop_run(id, ALICE).state, runs.find_run(id, ALICE).cause) == ("stopped", "asked to stop")


@pytest.mark.parametrize(
    ("how", "state_of_it", "words"),
    [("raise", "failed", "the batch is empty"), ("oom", "interrupted", "SIGKILL"), ("exit", "finished", "")],
)
def test_how_it_ended_is_said_with_its_cause(
    hire: Callable[..., Runs], wait: Any, how: str, state_of_it: str, words: str
) -> None:
    runs = hire()
    id = runs.submit_run("train", {"steps": 5, "die": how}, "", ALICE).id
    run = wait(lambda: not (seen := runs.find_run(id, ALICE)).is_active and seen)
    assert (run.state, words in run.cause) == (state_of_it, True)
    assert run.state == "finished" or runs.resume_run(id, ALICE).state in ("queued", "running")


def test_another_server_finds_it_running_and_can_stop_it(hire: Callable[..., Runs], wait: Any, begun: Any) -> None:
    first, second = hire(), hire()
    id = begun(first)
    assert state(second, id) == "running"
    second.stop_run(id, ALICE)
    wait(lambda: state(second, id) == "stopped")


def test_a_program_that_is_not_there_is_a_failure(hire: Callable[..., Runs], wait: Any) -> None:
    runs = hire(program=("/nowhere/python",))
    run = runs.submit_run("train", {"steps": 5}, "", ALICE)
    run = wait(lambda: not (seen := runs.find_run(run.id, ALICE)).is_active and seen)
    assert run.state == "failed"
    assert "No such file" in run.cause


def test_a_reused_pid_is_not_the_run(hire: Callable[..., Runs], begun: Any) -> None:
    runs = hire()
    id = begun(runs)
    child = read_child(runs.path / id)
    assert child is not None
    stranger = ChildProcess(os.getpid(), child.started, child.host)
    process.kill_group(stranger)  # or this test would be over
    files.write_atomically(runs.path / id / layout.CHILD_FILE, json.dumps(vars(stranger)))
    assert state(runs, id) == "interrupted"
    files.write_atomically(runs.path / id / layout.CHILD_FILE, json.dumps(vars(child)))
    assert state(runs, id) == "running"


def test_both_ways_to_look_at_a_process_agree() -> None:
    here, by_psutil = process.inspect_process(os.getpid()), process._inspect_by_psutil(os.getpid())
    assert here is not None
    assert by_psutil is not None
    assert (here.ended, by_psutil.ended) == (False, False)
    assert abs(here.seconds - by_psutil.seconds) < 3
    assert process._inspect_by_psutil(2**22 + 1) is process.inspect_process(2**22 + 1) is None


def test_no_zombies_and_no_orphans(hire: Callable[..., Runs], wait: Any) -> None:
    runs = hire()
    id = runs.submit_run("train", {"steps": LONG, "die": "family"}, "", ALICE).id
    child = wait(lambda: len(steps(runs, id)) > 5 and read_child(runs.path / id))
    family = subprocess.run(["pgrep", "-g", str(child.pid)], capture_output=True, text=True).stdout.split()
    assert len(family) == 2
    os.kill(child.pid, signal.SIGKILL)
    wait(lambda: state(runs, id) == "interrupted")
    wait(lambda: not any(process.inspect_process(int(pid)) for pid in family))


def test_twenty_kills_leave_a_whole_directory_and_lose_no_step(hire: Callable[..., Runs], wait: Any) -> None:
    runs, chance = hire(), random.Random(0)
    id = runs.submit_run("train", {"steps": LONG, "pause": 0.001}, "", ALICE).id
    run, reached = runs.path / id, 0
    for turn in range(20):
        child = wait(lambda: state(runs, id) == "running" and read_child(run))
        if turn % 2:  # else it may not even have begun
            count = len(steps(runs, id))
            wait(lambda count=count: len(steps(runs, id)) > count)
        time.sleep(chance.random() * 0.15)
        os.kill(child.pid, signal.SIGKILL)
        wait(lambda: state(runs, id) == "interrupted")
        for name in ("config.json", "child.json", "resume.safetensors"):
            assert not (run / name).exists() or json.loads((run / name).read_text())
        saved = json.loads(files.read_text_file(run / "resume.safetensors") or '{"step": 0}')["step"]
        assert saved >= reached
        reached = saved
        runs.resume_run(id, ALICE)
    assert reached > 0
    runs.stop_run(id, ALICE)
    wait(lambda: state(runs, id) == "stopped")
    assert set(range(1, reached + 1)) <= set(steps(runs, id))


def test_a_server_killed_at_any_moment_of_a_start_leaves_one_process_or_none(
    tmp_path: Path, hire: Callable[..., Runs], wait: Any
) -> None:
    runs, chance = hire(), random.Random(1)
    server = (
        "import sys; sys.path[:0] = sys.argv[2:]; from conftest import ALICE, PROGRAM, free\n"
        "from latentlab.runs import Runs\n"
        "runs = Runs(sys.argv[1], limits=free(), program=(sys.executable, str(PROGRAM)))\n"
        "print('ready', flush=True); runs.submit_run('train', {'steps': 30, 'pause': 0.01}, '', ALICE); input()"
    )
    for _ in range(8):
        command = [sys.executable, "-c", server, str(runs.path), str(Path(__file__).parent)]
        killed = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE)
        assert killed.stdout is not None
        killed.stdout.readline()
        time.sleep(chance.random() * 0.2)
        killed.send_signal(chance.choice([signal.SIGKILL, signal.SIGTERM]))
        killed.communicate()
        wait(lambda: not any(run.is_active for run in runs.list_runs(ALICE)))
    ended = runs.list_runs(ALICE)
    assert {run.state for run in ended} == {"finished"}
    assert all(steps(runs, run.id) == list(range(1, 31)) for run in ended)
    assert not list(runs.path.glob("*/queued"))


def test_a_chatty_run_neither_hangs_nor_fills_the_disk(hire: Callable[..., Runs], wait: Any) -> None:
    runs = hire()
    runs.start_watching()
    id = runs.submit_run("train", {"steps": LONG, "die": "chatty"}, "", ALICE).id
    log = runs.path / id / layout.LOG_FILE
    wait(lambda: steps(runs, id)[-1:] > [10] and log.stat().st_size <= files.LOG_MAX_BYTES)
    runs.stop_run(id, ALICE)
    wait(lambda: state(runs, id) == "stopped")
    assert len(runs.read_log(id, ALICE)) == 8000


def test_one_that_does_not_obey_is_ended(
    hire: Callable[..., Runs], wait: Any, begun: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(supervisor.STOP_PATIENCE, "stop", 0.3)
    runs = hire()
    id = begun(runs, die="deaf")
    assert runs.stop_run(id, ALICE).stopping == "stop"
    run = wait(lambda: (seen := runs.find_run(id, ALICE)).state == "stopped" and seen)
    assert "did not stop" in run.cause


def test_one_whose_time_is_up_is_asked_to_save(hire: Callable[..., Runs], wait: Any, begun: Any) -> None:
    runs = hire(limits=free(minutes=0.005))
    id = begun(runs)
    run = wait(lambda: (seen := runs.find_run(id, ALICE)).state == "stopped" and seen)
    assert run.classifier


def test_on_a_full_disk_nothing_starts_and_what_runs_can_be_ended(
    hire: Callable[..., Runs], wait: Any, begun: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = hire()
    id = begun(runs)

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "write_atomically", full)
    with pytest.raises(UserError, match="No space left"):
        runs.submit_run("train", {"steps": 1}, "", ALICE)
    assert [run.id for run in runs.list_runs(ALICE)] == [id]
    runs.stop_run(id, ALICE)
    run = wait(lambda: not (seen := runs.find_run(id, ALICE)).is_active and seen)
    assert (run.state, "SIGTERM" in run.cause) == ("interrupted", True)
    with pytest.raises(UserError, match="No space left"):
        runs.resume_run(id, ALICE)
    runs.delete_run(id, ALICE)
    assert runs.list_runs(ALICE) == []


def test_two_servers_that_race_start_each_run_once_and_never_too_many(hire: Callable[..., Runs], wait: Any) -> None:
    views, chance, most = [hire(limit=2), hire(limit=2)], random.Random(0), [0]

    def visitor(number: int) -> list[str]:
        view = views[number % 2]
        ids = [view.submit_run("train", {"steps": 10, "pause": 0.005}, "", ALICE).id for _ in range(2)]
        for _ in range(30):
            view.list_runs(ALICE)
            children = [read_child(path.parent) for path in view.path.glob("*/child.json")]
            most.append(sum(process.is_process_alive(child) for child in children if child))
            time.sleep(chance.random() * 0.02)
        return ids

    with ThreadPoolExecutor(4) as pool:
        ids = [id for made in pool.map(visitor, range(4)) for id in made]
    wait(lambda: all(not run.is_active for view in views for run in view.list_runs(ALICE)))
    assert 1 <= max(most) <= 2
    for id in ids:
        assert [event["event"] for event in views[0].read_events(id, ALICE).events] == ["begin", *["step"] * 10, "end"]

"""Runs that are ended from outside: killed, asked to go, out of room. Nothing but the last seconds is lost."""

import os
import random
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
from safetensors import safe_open
from training.augmented.processes import hasty, reached, same, told, wait_for

from latentlab import models
from latentlab.cli import main
from latentlab.runs.writer import RunDirectory

KILLS, LIFE = 20, 1.5  # kills, and seconds at most before each
BRISK = {"parent": "digits-resnet", "augmentations": [{"method": "mixup"}, {"method": "contrast"}]}
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1"}


@pytest.fixture(autouse=True)
def one_thread(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


@pytest.mark.slow
def test_killed_at_random_moments_runs_end_with_the_same_bits(order, words, tmp_path):
    """kill −9 while it starts, learns, saves and ends; after each, the directory is whole and no state is lost."""
    chance, killed, resumed = random.Random(0), [order("killed-0", steps=200, **BRISK)], 0
    whole = order("whole", steps=200, **BRISK)
    assert main(words(whole)) == 0
    kills = 0
    while kills < KILLS:
        run = killed[-1]
        process, before, kept = hasty(words(run), tmp_path / "log"), number(run / "events.jsonl"), reached(run)
        if kills % 2:  # the others die wherever they are, perhaps before their first word
            wait_for(partial(has_changed, run / "events.jsonl", before), process.is_alive)
        time.sleep(chance.uniform(0, LIFE))
        process.kill()
        process.join()
        kills += process.exitcode == -signal.SIGKILL
        check_whole(run)
        resumed += any(event["event"] == "begin" and event["resumed"] for event in told(run))
        if RunDirectory.open_at(run).is_finished:
            killed.append(order(f"killed-{len(killed)}", steps=200, **BRISK))
        else:
            assert reached(run) >= kept
    assert resumed
    for run in killed:
        assert main(words(run)) == 0
        assert same(whole / "run.safetensors", run / "run.safetensors")


def number(path: Path) -> int:
    """Of the file behind this name: a process that goes on puts a new one there."""
    return path.stat().st_ino if path.exists() else 0


def has_changed(path: Path, before: int) -> bool:
    return number(path) not in (0, before)


def check_whole(folder: Path) -> None:
    told(folder)
    for path in folder.glob("*.safetensors"):
        with safe_open(path, "pt") as file:
            assert list(file.keys())


@pytest.fixture
def small_disk(tmp_path):
    """A file system of its own that holds a megabyte."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", place], capture_output=True, text=True)
    if mounted.returncode:
        complain = pytest.fail if os.environ.get("CI") == "true" and os.geteuid() == 0 else pytest.skip
        complain(
            f"NO FULL DISK WAS TRIED: a file system cannot be mounted here ({mounted.stderr.strip()}); run as root"
        )
    yield place
    subprocess.run(["umount", place], check=True)


@pytest.mark.slow
def test_a_disk_that_fills_up_ends_the_run_in_one_line_and_room_lets_it_go_on(order, words, small_disk, tmp_path):
    steps, log = 400, tmp_path / "log"
    whole, run = order("whole", steps=steps, **BRISK), order("run", small_disk, steps=steps, **BRISK)
    assert main(words(whole)) == 0
    process = hasty(words(run), log)
    wait_for(lambda: reached(run) > 0, process.is_alive)
    fill(small_disk / "other")
    process.join(120)
    assert process.exitcode == 2
    (line,) = log.read_text().splitlines()
    assert "disk is full" in line
    assert told(run)[-1] | {"seconds": 0} == {
        "event": "end",
        "step": told(run)[-1]["step"],
        "seconds": 0,
        "state": "failed",
        "cause": line.removeprefix("latentlab: "),
    }
    assert 0 < reached(run) <= told(run)[-1]["step"] < steps
    kept = (run / "resume.safetensors").read_bytes()
    check_whole(run)

    fill(small_disk / "more")  # the room that was kept back for the last line
    again = hasty(words(run), log)
    again.join(120)
    assert again.exitcode == 2
    assert "disk is full" in log.read_text().splitlines()[1]
    assert (run / "resume.safetensors").read_bytes() == kept
    check_whole(run)

    for name in ("other", "more"):
        (small_disk / name).unlink()
    assert main(words(run)) == 0
    begin = next(event for event in told(run) if event["event"] == "begin" and event["step"])
    assert begin["resumed"]
    assert same(whole / "run.safetensors", run / "run.safetensors")


def fill(path: Path) -> None:
    """Until nothing more goes in."""
    with path.open("wb", buffering=0) as file:
        for size in (65_536, 1):
            try:
                while file.write(bytes(size)) == size:
                    pass
            except OSError:
                continue


def test_a_signal_to_end_keeps_the_state_and_no_last_line(order, words):
    folder = order(steps=100_000)
    process = start(words(folder))
    wait_for(lambda: any(event["event"] == "step" for event in told(folder)), lives(process))
    process.send_signal(signal.SIGTERM)
    assert process.wait(120) == 143
    assert told(folder)[-1]["event"] != "end"
    assert reached(folder) >= told(folder)[-1]["step"]


def start(arguments: list[str]) -> subprocess.Popen:
    command = [sys.executable, "-m", "latentlab", *arguments]
    return subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def lives(process: subprocess.Popen):
    return lambda: process.poll() is None


@pytest.mark.slow
def test_two_processes_go_on_when_one_is_killed(order, words, small_world):
    """torchrun starts both again from the last state; one directory, one story."""
    folder = order(steps=400, augmentations=[{"method": "mixup"}], minutes=0)
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", "--max-restarts", "2"]
    command += ["--standalone", "-m", "--", "latentlab", *words(folder)]
    process = subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    wait_for((folder / "resume.safetensors").exists, lives(process))
    workers = children(process.pid)
    assert len(workers) == 2
    os.kill(workers[-1], signal.SIGKILL)
    assert process.wait(600) == 0, process.stderr.read()[-2000:]
    events = told(folder)
    begins = [event for event in events if event["event"] == "begin"]
    assert [(begin["processes"], begin["resumed"]) for begin in begins] == [(2, False), (2, True)]
    assert events[-1]["state"] == "finished"
    assert models.read_card(folder / "run.safetensors").images_seen == 400 * 8 * 2


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

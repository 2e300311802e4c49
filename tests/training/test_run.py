"""Runs: the same bits again, stopped, killed and resumed; every end has its cause; nothing is left half-written."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from latentlab import models
from latentlab.cli import main
from latentlab.errors import UserError
from latentlab.training import INTERRUPT, SAVE_TOO, STOP, train
from latentlab.training.directory import Directory

KILLS = 4
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1"}
MOVES = [{"method": "pixel-pgd", "settings": {"steps": 2}, "probability": 0.5}, {"method": "mixup"}]


def same(a: Path, b: Path) -> bool:
    first, second = load_file(a), load_file(b)
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def told(folder: Path) -> list[dict]:
    return Directory.of(folder).told()


@pytest.fixture
def order(tmp_path, small_world):
    """A run's directory with this config, and the words that start its process."""

    def make(name="run", verb="train", **config):
        folder = tmp_path / name
        folder.mkdir()
        quick = {"fraction": 0.05, "epochs": 0, "steps": 6, "batch": 8, "augmentations": MOVES, **config}
        written = {"verb": verb, "name": name, "owner": "", "config": quick}
        (folder / "config.json").write_text(json.dumps(written))
        return folder

    return make


@pytest.fixture
def words(small_world):
    return lambda folder: ["train", "--run", str(folder), "--checkpoints", str(small_world), "--device", "cpu"]


def asked_at(step: int, what: str):
    """Says nothing for so many updates, then this."""
    calls = iter(range(10_000))
    return lambda: what if next(calls) >= step else ""


@pytest.mark.parametrize("optimiser", ["sgd", "adamw"])
def test_a_stopped_and_resumed_run_has_the_bits_of_one_that_nobody_disturbed(optimiser, config, trained, tmp_path):
    asked_for = config(steps=7, augmentations=MOVES, optimiser=optimiser)
    trained(asked_for, "whole")
    for what in (STOP, INTERRUPT):
        last = trained(asked_for, "cut", asked_at(2, what))[-1]
        assert (last["event"] == "end") == (what == STOP)
        assert not (tmp_path / "cut" / "run.safetensors").exists()
    events = trained(asked_for, "cut")
    assert events[0]["resumed"]
    assert events[0]["step"] == 4
    assert events[-1]["state"] == "finished"
    assert same(tmp_path / "whole" / "run.safetensors", tmp_path / "cut" / "run.safetensors")
    assert not (tmp_path / "cut" / "resume.safetensors").exists()


def test_a_seed_decides_every_bit(config, trained, tmp_path):
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        trained(config(seed=seed, steps=2), name)
    files = [tmp_path / name / "run.safetensors" for name in "abc"]
    assert same(files[0], files[1])
    assert not same(files[0], files[2])


def test_stop_and_save_ships_a_classifier_and_can_be_gone_on_from(config, trained, tmp_path, store):
    asked_for = config(parent="digits-resnet")
    last = trained(asked_for, "run", asked_at(2, SAVE_TOO))[-1]
    assert last["state"] == "stopped"
    card, network = models.load(tmp_path / "run" / "run.safetensors")
    assert card.parent == f"digits-resnet {store.digest('digits-resnet')}"
    assert card.recipe["config"]["steps"] == asked_for.steps
    assert card.images_seen == 16
    assert card.scores["accuracy"] == pytest.approx(last["scores"]["accuracy"], abs=1e-4)
    assert not network.training
    assert trained(asked_for, "run")[0]["resumed"]


def test_the_events_tell_the_run(config, trained):
    events = trained(config(validation=0.2, steps=8, augmentations=[{"method": "mixup"}]))
    names = [event["event"] for event in events]
    assert names[0] == "begin"
    assert names[-1] == "end"
    assert {"step", "sample", "epoch"} <= set(names)
    begin = events[0]
    assert (begin["steps"], begin["batch"], begin["resumed"]) == (8, 8, False)
    assert begin["images"] + begin["validation"] == pytest.approx(0.05 * 5752, rel=0.05)
    (*_, last) = [event for event in events if event["event"] == "step"]
    assert (last["done"], last["eta"], last["step"]) == (1, 0, 8)
    assert set(events[-2]["accuracy"]) == {"clean", "moved", "corrupted"}
    assert set(events[-1]["scores"]) == {"accuracy", "nll", "corrupted"}
    json.dumps(events, allow_nan=False)


def test_epochs_and_steps_whichever_ends_first(config, trained):
    per_epoch = trained(config(steps=1))[0]["steps_per_epoch"]
    assert trained(config(steps=10_000, epochs=0.1), "b")[0]["steps"] == round(0.1 * per_epoch)
    assert trained(config(steps=0, epochs=0, minutes=0.001), "c")[-1]["state"] == "finished"


def test_a_state_of_another_config_is_refused(config, trained):
    trained(config(), "run", asked_at(1, STOP))
    with pytest.raises(UserError, match="something else"):
        trained(config(batch=4), "run")


def test_divergence_keeps_the_last_good_state(config, trained, tmp_path):
    trained(config(steps=20), "run", asked_at(1, STOP))
    kept = (tmp_path / "run" / "resume.safetensors").read_bytes()
    wild = {"optimiser": "sgd", "rate": 1.0, "decay": 0.1, "schedule": "constant", "steps": 2000}
    with pytest.raises(UserError, match="diverged at step"):
        trained(config(**wild, augmentations=[{"method": "contrast"}], average=0, bf16=False), "wild", poison())
    assert (tmp_path / "run" / "resume.safetensors").read_bytes() == kept
    resume = tmp_path / "wild" / "resume.safetensors"
    assert not resume.exists() or all(t.isfinite().all() for t in load_file(resume).values() if t.is_floating_point())


def poison():
    """Some network in training gets an infinite weight at the third update."""
    import gc

    calls = iter(range(10_000))

    def spoil() -> str:
        if next(calls) == 3:
            for one in gc.get_objects():
                if type(one) is models.SmallResNet and one.training:
                    with torch.no_grad():
                        one.head.weight.fill_(float("inf"))
        return ""

    return spoil


def test_the_process_of_a_directory_finishes_it(order, words, capsys):
    folder = order()
    assert main(words(folder)) == 0
    events = told(folder)
    assert events[0]["event"] == "begin"
    assert events[-1] | {"scores": None, "seconds": 0} == {
        "event": "end",
        "step": 6,
        "seconds": 0,
        "state": "finished",
        "cause": "The budget was used up at step 6.",
        "scores": None,
    }
    assert models.read_card(folder / "run.safetensors").kind == "resnet"
    assert not (folder / "spare").exists()
    assert main(words(folder)) == 0
    assert "finished already" in capsys.readouterr().out
    assert told(folder) == events


@pytest.mark.parametrize(("said", "shipped"), [("stop", False), ("save", True)])
def test_the_stop_file_is_obeyed_before_the_next_update(said, shipped, order, words):
    folder = order(steps=100_000)
    (folder / "stop").write_text(said)
    assert main(words(folder)) == 0
    last = told(folder)[-1]
    assert (last["state"], last["step"]) == ("stopped", 0)
    assert (folder / "run.safetensors").exists() == shipped
    assert (folder / "resume.safetensors").exists()
    assert not (folder / "stop").exists()


def test_a_cause_is_the_last_line(order, words, capsys):
    folder = order(parent="nothing")
    assert main(words(folder)) == 2
    assert told(folder)[-1]["state"] == "failed"
    assert "no network 'nothing'" in told(folder)[-1]["cause"]
    assert told(folder)[-1]["cause"] in capsys.readouterr().err


def test_no_memory_is_a_cause_that_says_what_to_do():
    from latentlab.cli import child

    with pytest.raises(RuntimeError, match="allocate") as caught:
        torch.empty(2**60)
    assert "smaller batch" in child.cause(caught.value)
    assert "smaller batch" in child.cause(torch.OutOfMemoryError("CUDA out of memory"))
    assert child.cause(RuntimeError("odd")) == "It broke off: RuntimeError, odd."


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_ends_in_its_cause(order, words, capsys):
    folder = order(steps=3)
    (folder / f"resume.safetensors.{os.getpid()}.part").symlink_to("/dev/full")
    assert main(words(folder)) == 2
    assert told(folder)[-1]["state"] == "failed"
    assert "disk is full" in told(folder)[-1]["cause"]


def test_a_half_written_line_and_what_came_after_the_state_are_taken_back(tmp_path):
    directory = Directory.of(tmp_path)
    lines = [{"event": name, "step": step} for name, step in (("begin", 0), ("step", 1), ("step", 5), ("end", 5))]
    directory.events.write_text("\n".join(map(json.dumps, lines)) + '\n{"event": "st')
    assert directory.told() == lines
    directory.take_back(3)
    assert directory.told() == lines[:2]
    directory.take_back(0)
    assert directory.told() == []


@pytest.mark.slow
def test_killed_at_random_moments_a_run_ends_with_the_same_bits(order, words):
    """kill −9, again and again, before and after states; after each, the directory is whole."""
    chance, whole, killed = random.Random(0), order("whole", steps=300), order("killed", steps=300)
    assert main(words(whole)) == 0
    for _ in range(KILLS):
        process, before = start(words(killed)), number(killed / "events.jsonl")
        wait_for(partial(changed, killed / "events.jsonl", before), process)
        time.sleep(chance.uniform(0, 2))
        process.send_signal(signal.SIGKILL)
        process.wait()
        check_whole(killed)
    assert main(words(killed)) == 0
    assert same(whole / "run.safetensors", killed / "run.safetensors")


def number(path: Path) -> int:
    """Of the file behind this name: a process that goes on puts a new one there."""
    return path.stat().st_ino if path.exists() else 0


def changed(path: Path, before: int) -> bool:
    return number(path) not in (0, before)


def check_whole(folder: Path) -> None:
    told(folder)
    for path in folder.glob("*.safetensors"):
        with safe_open(path, "pt") as file:
            assert list(file.keys())


def test_a_signal_to_end_keeps_the_state_and_no_last_line(order, words):
    folder = order(steps=100_000)
    process = start(words(folder))
    wait_for(lambda: any(event["event"] == "step" for event in told(folder)), process)
    process.send_signal(signal.SIGTERM)
    assert process.wait(120) == 143
    assert told(folder)[-1]["event"] != "end"
    assert json.loads(metadata(folder / "resume.safetensors")["progress"])["step"] >= told(folder)[-1]["step"]


def metadata(path: Path) -> dict[str, str]:
    with safe_open(path, "pt") as file:
        return file.metadata()


def start(arguments: list[str]) -> subprocess.Popen:
    command = [sys.executable, "-m", "latentlab", *arguments]
    return subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def wait_for(there, process: subprocess.Popen) -> None:
    end = time.monotonic() + 300
    while not there():
        assert time.monotonic() < end, "it never came"
        assert process.poll() is None or there(), "the process ended first"
        time.sleep(0.02)


def test_flags_train_and_the_same_command_says_that_it_is_done(tmp_path, small_world, capsys):
    out = tmp_path / "own.safetensors"
    line = f"train --data digits --augment mixup --steps 2 --batch 8 --fraction 0.05 --checkpoints {small_world}"
    assert main([*line.split(), "--out", str(out)]) == 0
    assert "Test: accuracy" in capsys.readouterr().out
    assert models.read_card(out).recipe["config"]["augmentations"][0]["method"] == "mixup"
    assert "--augment mixup" in models.read_card(out).command
    assert main(["evaluate", str(out)]) == 0


@pytest.mark.slow
def test_two_processes_go_on_when_one_is_killed(order, words, small_world):
    """torchrun starts both again from the last state; one directory, one story."""
    folder = order(steps=400, augmentations=[{"method": "mixup"}], minutes=0)
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", "--max-restarts", "2"]
    command += ["--standalone", "-m", "--", "latentlab", *words(folder)]
    process = subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    wait_for((folder / "resume.safetensors").exists, process)
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


def test_the_networks_of_the_store_stay_as_they_were(config, store, tmp_path):
    """`train` leaves the store's networks as they were: frozen and in eval mode."""
    network = store.load("digits-resnet")
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    files = Directory.of(tmp_path).files
    list(train(config(parent="digits-resnet", steps=2), store, files))
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())
    assert not network.training

"""Runs: the same bits again, stopped, killed and resumed; every end has its cause; nothing is left half-written."""

import gc
import json
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from training.augmented.processes import same, told

from latentlab import models
from latentlab.cli import exec, main
from latentlab.errors import UserError
from latentlab.runs.writer import RunDirectory
from latentlab.training.augmented import INTERRUPT_REQUEST, SAVE_REQUEST, STOP_REQUEST, train_classifier


def asked_at(step: int, what: str):
    """Says nothing for so many updates, then this."""
    calls = iter(range(10_000))
    return lambda: what if next(calls) >= step else ""


@pytest.mark.parametrize("optimiser", ["sgd", "adamw"])
def test_a_stopped_and_resumed_run_has_the_bits_of_an_undisturbed_one(optimiser, config, trained, moves, tmp_path):
    asked_for = config(steps=7, augmentations=moves, optimiser=optimiser)
    trained(asked_for, "whole")
    for what in (STOP_REQUEST, INTERRUPT_REQUEST):
        last = trained(asked_for, "cut", asked_at(2, what))[-1]
        assert (last["event"] == "end") == (what == STOP_REQUEST)
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
    last = trained(asked_for, "run", asked_at(2, SAVE_REQUEST))[-1]
    assert last["state"] == "stopped"
    card, network = models.load_network(tmp_path / "run" / "run.safetensors")
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
    trained(config(), "run", asked_at(1, STOP_REQUEST))
    with pytest.raises(UserError, match="something else"):
        trained(config(batch=4), "run")


def test_divergence_keeps_the_last_good_state(config, trained, tmp_path):
    trained(config(steps=20), "run", asked_at(1, STOP_REQUEST))
    kept = (tmp_path / "run" / "resume.safetensors").read_bytes()
    wild = {"optimiser": "sgd", "rate": 1.0, "decay": 0.1, "schedule": "constant", "steps": 2000}
    with pytest.raises(UserError, match="diverged at step"):
        trained(config(**wild, augmentations=[{"method": "contrast"}], average=0, bf16=False), "wild", poison())
    assert (tmp_path / "run" / "resume.safetensors").read_bytes() == kept
    resume = tmp_path / "wild" / "resume.safetensors"
    assert not resume.exists() or all(t.isfinite().all() for t in load_file(resume).values() if t.is_floating_point())


def poison():
    """Some network in training gets an infinite weight at the third update."""
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
    with pytest.raises(RuntimeError, match="allocate") as caught:
        torch.empty(2**60)
    assert "smaller batch" in exec.describe_failure(caught.value)
    assert "smaller batch" in exec.describe_failure(torch.OutOfMemoryError("CUDA out of memory"))
    assert exec.describe_failure(RuntimeError("odd")) == "It broke off: RuntimeError, odd."


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_ends_in_its_cause(order, words, capsys):
    folder = order(steps=3)
    (folder / f"resume.safetensors.{os.getpid()}.part").symlink_to("/dev/full")
    assert main(words(folder)) == 2
    assert told(folder)[-1]["state"] == "failed"
    assert "disk is full" in told(folder)[-1]["cause"]


def test_a_half_written_line_and_what_came_after_the_state_are_taken_back(tmp_path):
    directory = RunDirectory.open_at(tmp_path)
    lines = [{"event": name, "step": step} for name, step in (("begin", 0), ("step", 1), ("step", 5), ("end", 5))]
    directory.events.write_text("\n".join(map(json.dumps, lines)) + '\n{"event": "st')
    assert directory.read_events() == lines
    directory.take_back_events(3)
    assert directory.read_events() == lines[:2]
    directory.take_back_events(0)
    assert directory.read_events() == []


def test_flags_train_and_the_same_command_says_that_it_is_done(tmp_path, small_world, capsys):
    out = tmp_path / "own.safetensors"
    line = f"train --data digits --augment mixup --steps 2 --batch 8 --fraction 0.05 --checkpoints {small_world}"
    assert main([*line.split(), "--out", str(out)]) == 0
    assert "Test: accuracy" in capsys.readouterr().out
    assert models.read_card(out).recipe["config"]["augmentations"][0]["method"] == "mixup"
    assert "--augment mixup" in models.read_card(out).command
    assert main(["evaluate", str(out)]) == 0


def test_the_networks_of_the_store_stay_as_they_were(config, store, tmp_path):
    """`train` leaves the store's networks as they were: frozen and in eval mode."""
    network = store.load("digits-resnet")
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    files = RunDirectory.open_at(tmp_path).files
    list(train_classifier(config(parent="digits-resnet", steps=2), store, files))
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())
    assert not network.training

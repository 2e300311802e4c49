"""Fits: exact resuming, also after kill −9; divergence; a full disk; two processes; the card."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from latentlab import chance, datasets, models
from latentlab.datasets import Split
from latentlab.errors import UserError
from latentlab.models.kinds import list_stored_kinds
from latentlab.principal_directions import find_principal_directions
from latentlab.training import fit_loop, resume_state
from latentlab.training.fit import fit
from latentlab.training.fit_loop import FitPlan
from latentlab.training.named_directions import find_label_directions
from latentlab.training.update_loop import BatchOrder

SCRIPT = """
import sys, torch
from pathlib import Path
from latentlab import datasets, models
from latentlab.training.fit_loop import FitPlan, fit_network
torch.set_num_threads(1)
torch.manual_seed(0)
world = datasets.load_world("digits")
plan = FitPlan(sys.argv[3], Path(sys.argv[1]), None, int(sys.argv[2]), 16, 0, "cpu", "a test", save_every=0.0)
fit_network(plan, models.KINDS[sys.argv[3]].load_fitter()(world, "cpu"), world)
"""


@pytest.fixture(scope="module")
def digits():
    """A few of them: these tests are about the loop."""
    world = datasets.load_world("digits")
    train, test = Split(*rows(world.train, 500)), Split(*rows(world.test, 40))
    return replace(world, train=train, test=test)


def rows(half: Split, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    return half.images[:count], half.labels[:count]


def plan(out: Path, steps: int, kind: str = "resnet") -> FitPlan:
    return FitPlan(kind, out, None, steps, 16, 0, "cpu", "a test")


def run(
    out: Path, steps: int, world: datasets.Dataset, kind: str = "resnet", parent: Path | None = None
) -> models.Card:
    torch.manual_seed(0)
    return fit_loop.fit_network(
        replace(plan(out, steps, kind), parent=parent), models.KINDS[kind].load_fitter()(world, "cpu"), world
    )


@pytest.mark.parametrize("kind", [kind for kind in list_stored_kinds() if kind not in ("resnet18", "resnet20")])
def test_every_kind_fits_saves_and_loads(kind, tmp_path, digits):
    card = run(tmp_path / "net.safetensors", 2, digits, kind)
    again, network = models.load_network(tmp_path / "net.safetensors")
    assert json.dumps(asdict(card)) == json.dumps(asdict(again))  # JSON has no tuples
    assert card.images_seen == 32
    assert card.scores
    assert not network.training
    assert not any(p.requires_grad for p in network.parameters())
    assert not (tmp_path / "net.resume").exists()
    if models.KINDS[kind].is_latent:
        assert {"pc1", "pc8", "7"} <= set(network.directions)
    further = run(tmp_path / "further.safetensors", 1, digits, kind, tmp_path / "net.safetensors")
    assert further.parent == f"net {models.digest_file(tmp_path / 'net.safetensors')}"


@pytest.mark.parametrize(("kind", "steps"), [("resnet", 60), ("airbench", 12)])
def test_killed_fit_goes_on_to_the_same_bits(kind, steps, tmp_path):
    """kill −9, then the same command again: every weight equals that of the fit that nobody disturbed."""
    whole, killed = tmp_path / "whole.safetensors", tmp_path / "killed.safetensors"
    start(whole, steps, kind).wait()
    process = start(killed, steps, kind)
    wait_for(killed.with_suffix(".resume"))
    process.send_signal(signal.SIGKILL)
    process.wait()
    interrupted = not killed.exists()
    start(killed, steps, kind).wait()
    assert interrupted, "the fit was over before it was killed; give it more steps"
    a, b = load_file(whole), load_file(killed)
    assert all(torch.equal(a[name], b[name]) for name in a)


def start(out: Path, steps: int, kind: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(out), str(steps), kind], env=os.environ | {"OMP_NUM_THREADS": "1"}
    )


def wait_for(path: Path) -> None:
    end = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < end, f"{path} never came"
        time.sleep(0.01)


def test_no_seed_draws_the_numbers_that_the_weights_began_with(tmp_path):
    """Drawn codes are as wide for the fit's own seed as for another."""
    fit("stylegan2", "digits", tmp_path / "net.safetensors", steps=1, batch=8, seed=0)
    network = models.load_network(tmp_path / "net.safetensors")[1]
    assert [network.sample(128, chance.make_generator(seed)).flat.std().item() for seed in (0, 1)] == pytest.approx(
        [1, 1], 0.1
    )


def test_a_fit_from_a_checkpoint_starts_with_its_weights(tmp_path):
    """A single step with a rate of 1 % of the peak hardly moves them; its card names the parent."""
    first, second = tmp_path / "first.safetensors", tmp_path / "second.safetensors"
    fit("resnet", "digits", first, steps=30, batch=64)
    card = fit("resnet", "digits", second, steps=1, batch=64, parent=first)
    assert card.parent == f"first {models.digest_file(first)}"
    assert card.command.endswith("--from first.safetensors")
    a, b = (load_file(path)["head.weight"] for path in (first, second))
    assert (a - b).norm() < 0.1 * a.norm()


def test_an_eye_must_fit_and_not_every_kind_has_one(tmp_path):
    vae = Path("checkpoints/digits-vae.safetensors")
    with pytest.raises(UserError, match="give a resnet or resnet18 for images of 3×32×32"):
        fit("stylegan2", "digits", tmp_path / "x.safetensors", steps=1, batch=8, eye=vae)
    with pytest.raises(UserError, match="leave --eye out for a glow"):
        fit("glow", "digits", tmp_path / "x.safetensors", steps=1, eye=Path("checkpoints/digits-resnet.safetensors"))


def test_a_fit_from_another_kind_is_refused(tmp_path):
    fit("resnet", "digits", tmp_path / "first.safetensors", steps=1, batch=8)
    with pytest.raises(UserError, match="another shape"):
        fit("airbench", "digits", tmp_path / "x.safetensors", steps=1, batch=8, parent=tmp_path / "first.safetensors")


def test_two_processes_learn_the_same_weights_as_one_another(tmp_path):
    out = tmp_path / "net.safetensors"
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", "--master_port", "29611"]
    command += [
        "-m",
        "latentlab",
        "fit",
        "resnet",
        "--data",
        "digits",
        "--out",
        str(out),
        "--steps",
        "3",
        "--batch",
        "8",
    ]
    done = subprocess.run(
        command, env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert models.read_card(out).images_seen == 3 * 8 * 2


def test_two_processes_see_different_rows():
    first, second = (next(course(100, 10, (rank, 2)).iterate_rows()) for rank in (0, 1))
    assert not set(first.tolist()) & set(second.tolist())


def test_every_row_is_seen_once_an_epoch():
    steps = course(20, 5, (0, 1)).iterate_rows()
    assert sorted(torch.cat([next(steps) for _ in range(4)]).tolist()) == list(range(20))


def course(count: int, batch: int, place: tuple[int, int]) -> BatchOrder:
    return BatchOrder(Split(torch.zeros(count, 3, 1, 1).byte(), torch.zeros(count).long()), batch, 0, "cpu", place)


def test_divergence_is_one_clear_line_and_keeps_the_state(tmp_path, digits):
    fitter = models.KINDS["resnet"].load_fitter()(digits, "cpu")
    out = tmp_path / "net.safetensors"
    everything = torch.nn.ModuleDict({"fit": fitter.modules, "average": fitter.network})
    resume_state.save_resume_state(
        out.with_suffix(".resume"), resume_state.TrainingProgress(), everything, fitter.optimisers
    )
    kept = out.with_suffix(".resume").read_bytes()
    with torch.no_grad():
        fitter.network.head.weight.fill_(float("nan"))
    running = fit_loop.NetworkFit(plan(out, 3), fitter, digits)
    with pytest.raises(UserError, match="diverged at step 1"):
        next(running.iterate_updates())
    assert out.with_suffix(".resume").read_bytes() == kept


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_one_clear_line_and_keeps_the_state(tmp_path, digits):
    fitter = models.KINDS["resnet"].load_fitter()(digits, "cpu")
    resume = tmp_path / "net.resume"
    resume_state.save_resume_state(resume, resume_state.TrainingProgress(1), fitter.modules, fitter.optimisers)
    kept = resume.read_bytes()
    resume.with_name(f"net.resume.{os.getpid()}.part").symlink_to("/dev/full")
    with pytest.raises(UserError, match="disk is full"):
        resume_state.save_resume_state(resume, resume_state.TrainingProgress(2), fitter.modules, fitter.optimisers)
    assert resume.read_bytes() == kept


def test_log_is_json_lines(tmp_path, digits):
    run(tmp_path / "net.safetensors", 2, digits)
    lines = [json.loads(line) for line in (tmp_path / "net.jsonl").read_text().splitlines()]
    assert lines[0]["step"] == 1
    assert {"step", "seconds", "images", "loss"} <= set(lines[0])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "gan"}, "no network of kind"),
        ({"steps": None}, "budget"),
        ({"steps": -1}, "budget"),
        ({"world": "moon"}, "moon"),
    ],
)
def test_nonsense_is_one_clear_line(change, message, tmp_path):
    arguments = {"kind": "resnet", "world": "digits", "out": tmp_path / "x.safetensors", "steps": 1} | change
    with pytest.raises(UserError, match=message):
        fit(**arguments)


def test_principal_directions_by_hand():
    """Points on a line along (3, 4) with deviation 5·√(2/3)… : the first component has that direction and length."""
    codes = torch.tensor([[3.0, 4.0], [-3.0, -4.0], [0.0, 0.0]]).repeat(4, 1)
    first = find_principal_directions(torch.cat([codes, torch.zeros(12, 8)], 1))["pc1"]
    assert torch.allclose(first[:2] / first[:2].norm(), torch.tensor([0.6, 0.8]), atol=1e-5)
    assert first.norm().item() == pytest.approx((codes @ torch.tensor([0.6, 0.8])).std().item(), rel=1e-4)


def test_a_label_direction_points_from_without_to_with():
    codes = 0.1 * chance.draw_normal((200, 4), chance.make_generator(0))
    marks = (torch.arange(200) % 2)[:, None]
    codes[:, 2] += 3 * marks[:, 0]
    direction = find_label_directions(codes, marks, ("on",))["on"]
    assert direction.argmax() == 2
    assert direction[2] > 1

"""A card that does not tell the truth is noticed, in one process as in several."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from repository import CHECKPOINTS
from scipy.linalg import sqrtm
from torch import Tensor

from latentlab import chance, datasets, models
from latentlab.cli import main
from latentlab.datasets import Split
from latentlab.evaluation import CARD_SHARE, CARD_SLACK, CardFigure, compute_frechet_distance, measure_swaps
from latentlab.models import Card
from latentlab.models.kinds import list_stored_kinds
from latentlab.training import distributed, fit_loop
from latentlab.training.distributed import SINGLE_PROCESS
from latentlab.training.fit_loop import FitPlan


def first(half: Split, count: int) -> Split:
    return Split(half.images[:count], half.labels[:count])


def test_a_tampered_card_is_noticed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    card, network = models.load_network(CHECKPOINTS / "digits-resnet.safetensors")
    flattered = tmp_path / "digits-resnet.safetensors"
    models.save_network(flattered, network, replace(card, scores={"accuracy": 0.999, "charm": 1.0}))
    assert main(["evaluate", str(flattered)]) == 1
    said = capsys.readouterr()
    assert said.out.count("differs") == 2
    assert len(said.err.splitlines()) == 1
    assert "accuracy, charm" in said.err
    assert main(["evaluate", str(flattered), "--json"]) == 1
    figures = json.loads(capsys.readouterr().out)["figures"]
    assert [figure["name"] for figure in figures if not figure["agrees"]] == ["accuracy", "charm"]


def test_distances_are_reported_where_a_classifier_lies_beside_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", str(CHECKPOINTS / "digits-vae.safetensors"), "--json"]) == 0
    figures = {figure["name"]: figure for figure in json.loads(capsys.readouterr().out)["figures"]}
    drawn, trained = (figures[f"Fréchet distance of 355 {kind}"] for kind in ("samples", "training images"))
    assert 0 < trained["again"] < drawn["again"]
    assert drawn["agrees"]
    assert figures["kept by PCA"]["again"] < figures["kept"]["again"] <= figures["kept, at most"]["again"]


def test_a_card_states_what_was_measured_once_that_is_written(tmp_path: Path) -> None:
    card, network = models.load_network(CHECKPOINTS / "digits-resnet.safetensors")
    flattered = tmp_path / "digits-resnet.safetensors"
    models.save_network(flattered, network, replace(card, scores={"accuracy": 0.999, "charm": 1.0}))
    assert main(["evaluate", str(flattered), "--write"]) == 0
    assert main(["evaluate", str(flattered)]) == 0
    assert models.read_card(flattered).scores == card.scores


def test_what_swaps_keep_is_counted() -> None:
    """Of digits the shape is coarse and the colour fine; a VAE has one part."""
    _, classifier = models.load_network(CHECKPOINTS / "digits-resnet.safetensors")
    found = {}
    for kind in ("stylegan2", "vae"):
        model = models.load_network(CHECKPOINTS / f"digits-{kind}.safetensors")[1]
        found[kind] = measure_swaps(model, classifier, datasets.load_world("digits"))
    print(found)
    fine, coarse = found["stylegan2"].values()
    assert list(found["stylegan2"]) == [f"class kept when {group} parts are swapped" for group in ("fine", "coarse")]
    assert coarse < 0.5 < 0.7 < fine <= 1
    assert found["vae"] == {}


@pytest.mark.parametrize(
    ("world", "classes", "message"),
    [("", (), "names no data"), ("cifar10", (), "LATENTLAB_DATA"), ("digits", ("a", "b"), "other data")],
)
def test_without_its_data_a_card_is_refused_in_one_line(
    world: str,
    classes: tuple[str, ...],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("LATENTLAB_DATA", str(tmp_path))
    arguments = {"image_shape": (3, 32, 32), "code": 4, "width": 8}
    network = models.construct_network("vae", arguments)
    models.save_network(tmp_path / "x.safetensors", network, Card("vae", arguments, (3, 32, 32), world, classes))
    assert main(["evaluate", str(tmp_path / "x.safetensors")]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert message in lines[0]


@pytest.mark.parametrize(
    ("figure", "agrees"),
    [
        (CardFigure("PSNR", 20.0, 20.0 + 0.9 * CARD_SHARE * 20), True),
        (CardFigure("PSNR", 20.0, 20.0 - 1.1 * CARD_SHARE * 20 - CARD_SLACK), False),
        (CardFigure("round trip", 1e-3, 1.9e-3), True),
        (CardFigure("round trip", 1e-3, 3e-3), False),
        (CardFigure("PSNR", float("nan"), 20.0), False),
        (CardFigure("PSNR", 20.0, None), False),
        (CardFigure("PSNR", None, 20.0), True),
    ],
)
def test_tolerance(figure: CardFigure, agrees: bool) -> None:
    assert figure.agrees == agrees


def test_what_is_fitted_is_measured() -> None:
    kinds = [models.KINDS[name] for name in list_stored_kinds()]
    assert all(callable(kind.load_fitter()) and callable(kind.load_scorer()) for kind in kinds)


@pytest.mark.parametrize("kind", ["glow", "vae", "stylegan2", "resnet"])
def test_a_fit_writes_what_its_file_gives_again(kind: str, tmp_path: Path) -> None:
    whole = datasets.load_world("digits")
    world = replace(whole, train=first(whole.train, 300), test=first(whole.test, 4))
    plan = FitPlan(kind, tmp_path / "net.safetensors", None, 2, 8, 0, "cpu", "a test")
    card = fit_loop.fit_network(plan, models.KINDS[kind].load_fitter()(world, "cpu"), world)
    again = models.KINDS[kind].load_scorer()(models.load_network(plan.out)[1], world)
    assert all(CardFigure(name, value, again[name]).agrees for name, value in card.scores.items())
    assert card.scores.keys() == again.keys()


def test_frechet_distance_by_hand() -> None:
    """Of independent coordinates: |μ − ν|² + Σ (σ − τ)²; of a set to itself 0."""
    x = chance.draw_normal((20_000, 3), chance.make_generator(0))
    x = (x - x.mean(0)) @ torch.linalg.inv(torch.linalg.cholesky(x.T.cov())).T  # exactly white
    moved = x * torch.tensor([1.0, 3.0, 0.5]) + torch.tensor([2.0, 0.0, 0.0])
    assert compute_frechet_distance(x, moved) == pytest.approx(4 + 4 + 0.25, rel=1e-4)
    assert compute_frechet_distance(x, x) == pytest.approx(0, abs=1e-6)


def test_frechet_distance_of_correlated_features_against_scipy() -> None:
    rng = chance.make_generator(1)
    a, b = (chance.draw_normal((500, 6), rng) @ chance.draw_normal((6, 6), rng) for _ in range(2))
    A, B = a.T.cov().double(), b.T.cov().double()
    expected = (a.mean(0) - b.mean(0)).square().sum() + A.trace() + B.trace() - 2 * sqrtm((A @ B).numpy()).real.trace()
    assert compute_frechet_distance(a, b) == pytest.approx(float(expected), rel=1e-4)


def test_few_images_do_not_break_the_distance() -> None:
    """Fewer than features: the covariances are singular."""
    images = datasets.load_world("digits").test.images[:20].float().flatten(1)[:, :50]
    assert compute_frechet_distance(images, images + 1) == pytest.approx(50, rel=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["glow", "resnet"])
def test_two_processes_share_the_images_and_find_the_same(
    kind: str, small_world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Noise included: an image has the same in whichever process it is measured. One process speaks."""
    words = ["evaluate", str(small_world / f"digits-{kind}.safetensors"), "--json"]
    assert main(words) == 0
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", "-m", "--"]
    done = subprocess.run(
        [*command, "latentlab", *words],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout) == json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("processes", [2, 3, 7])
def test_every_image_is_measured_by_one_process_in_the_same_company(
    processes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    hands: list[list[int]] = []

    def measure(rows: Tensor) -> Tensor:
        hands.append(rows.tolist())
        return 1 + rows.float()

    whole, alone = distributed.measure_rows(measure, 25, SINGLE_PROCESS, size=4), sorted(hands)
    assert whole.tolist() == list(range(1, 26))
    hands.clear()
    monkeypatch.setattr(distributed.dist, "all_reduce", lambda values: None)
    parts = [distributed.measure_rows(measure, 25, (rank, processes), size=4) for rank in range(processes)]
    assert sorted(hands) == alone
    assert torch.equal(sum(parts, torch.zeros(25)), whole)

"""Comparisons: figures as they come, paired differences, images that changed sides, seeds; interrupted and gone on."""

import json
import shutil
from dataclasses import replace

import pytest
import torch

from latentlab import datasets, metrics, models
from latentlab.cli import main
from latentlab.cli.compare import _describe_event
from latentlab.comparison import Comparison, compare_classifiers
from latentlab.errors import UserError
from latentlab.runs.writer import RunDirectory
from latentlab.session.runs.comparison import ComparisonTable, apply_events
from latentlab.store import Store
from latentlab.ui.tabs.compare.view import draw_board_table

QUICK = {"world": "digits", "images": 40, "metrics": ("accuracy", "nll")}


@pytest.fixture(scope="module")
def folder(small_world, tmp_path_factory):
    """The small world, a second classifier, and two runs that differ in their seed only."""
    folder = tmp_path_factory.mktemp("compared")
    for path in small_world.glob("*.safetensors"):
        shutil.copy(path, folder / path.name)
    card, network = models.load_network(folder / "digits-resnet.safetensors")
    recipe = {"config": {"world": "digits", "augmentations": [{"method": "brightness"}]}}
    for seed, name in enumerate(("digits-one", "digits-two")):
        with torch.no_grad():
            network.head.weight.copy_(
                torch.randn(network.head.weight.shape, generator=torch.Generator().manual_seed(seed))
            )
        own = {"config": {**recipe["config"], "seed": seed}}
        models.save_network(folder / f"{name}.safetensors", network, replace(card, recipe=own))
    return folder


@pytest.fixture(scope="module")
def events(folder):
    names = ("digits-resnet", "digits-one", "digits-two")
    return list(compare_classifiers(Comparison(classifiers=names, **QUICK), Store(folder, "cpu")))


def of(events, name):
    return [event for event in events if event["event"] == name]


def test_one_figure_a_classifier_and_metric(events, folder):
    (begin,), figures = of(events, "begin"), of(events, "figures")
    assert [(f["metric"], f["classifier"]) for f in figures] == [
        (metric, name) for metric in QUICK["metrics"] for name in begin["classifiers"]
    ]
    assert [figure["step"] for figure in figures] == [1, 2, 3, 4, 5, 6]
    assert all(figure["low"] <= figure["value"] <= figure["high"] for figure in figures)
    json.dumps(events, allow_nan=False)


def test_flips_and_differences_by_brute_force(events, folder):
    store, rows = Store(folder, "cpu"), of(events, "begin")[0]["rows"]
    images, labels = datasets.load_world("digits").test.take_batch(rows)
    first, second = (store.load(name)(images).argmax(1) == labels for name in ("digits-resnet", "digits-one"))
    flip = next(event for event in of(events, "flips") if event["second"] == "digits-one")
    assert flip["gained"] == [row for row, a, b in zip(rows, first, second, strict=True) if b and not a]
    assert flip["lost"] == [row for row, a, b in zip(rows, first, second, strict=True) if a and not b]
    apart = next(e for e in of(events, "difference") if (e["second"], e["metric"]) == ("digits-one", "accuracy"))
    assert apart["value"] == pytest.approx((len(flip["gained"]) - len(flip["lost"])) / len(rows), abs=1e-6)


def test_runs_that_differ_in_their_seed_are_averaged(events):
    values = {f["classifier"]: f["value"] for f in of(events, "figures") if f["metric"] == "accuracy"}
    (seeds,) = [event for event in of(events, "seeds") if event["metric"] == "accuracy"]
    assert seeds["classifiers"] == ["digits-one", "digits-two"]
    expected = metrics.estimate_mean(torch.tensor([values["digits-one"], values["digits-two"]]))
    assert (seeds["value"], seeds["high"]) == pytest.approx((expected.value, expected.high), abs=1e-5)


def test_labels_kept_by_an_independent_judge(folder):
    store = Store(folder, "cpu")
    wanted = Comparison(classifiers=("digits-one", "digits-two"), **QUICK | {"metrics": ("label-preservation",)})
    found = of(compare_classifiers(wanted, store), "figures")
    assert [figure["detail"]["judge"] for figure in found] == ["digits-resnet"] * 2
    alone = Comparison(classifiers=("digits-one", "digits-resnet"), **QUICK | {"metrics": ("label-preservation",)})
    events = list(compare_classifiers(alone, store))
    judged, plain = of(events, "note")
    assert "no independent classifier" in judged["text"]
    assert (plain["classifier"], plain["metric"]) == ("digits-resnet", "label-preservation")
    assert "without moves" in plain["text"]
    assert events[-1]["cause"].startswith("2 of the figures could not be measured")


def test_a_figure_that_could_not_be_measured_has_a_row_that_says_why():
    begin = {"event": "begin", "classifiers": ["a"], "metrics": ["accuracy"], "world": "digits"}
    why = "accuracy of a: there is no judge."
    note = {"event": "note", "classifier": "a", "metric": "accuracy", "text": why}
    table = draw_board_table(apply_events(ComparisonTable(), [begin, note]), {})
    assert f'<td class="ll-quiet" title="{why}">not measured</td>' in table
    assert _describe_event(note).endswith("not measured: there is no judge.")


def test_finished_metrics_are_not_measured_again(folder):
    wanted = Comparison(classifiers=("digits-one",), **QUICK)
    rest = list(compare_classifiers(wanted, Store(folder, "cpu"), done={"accuracy"}))
    assert [event["metric"] for event in of(rest, "figures")] == ["nll"]
    assert of(rest, "begin")[0]["step"] == 1


@pytest.mark.parametrize(
    ("names", "message"), [((), "no classifier"), (("digits-glow",), "choose classifiers"), (("nobody",), "no network")]
)
def test_what_cannot_be_compared_is_refused(names, message, folder):
    with pytest.raises(UserError, match=message):
        list(
            compare_classifiers(
                Comparison(classifiers=names, **QUICK) if names else Comparison(**QUICK), Store(folder, "cpu")
            )
        )


def test_a_directory_of_a_comparison_is_done_and_gone_on_with(folder, tmp_path):
    knobs = {"classifiers": ["digits-resnet", "digits-one"], **QUICK, "metrics": ["accuracy", "nll"]}
    (tmp_path / "config.json").write_text(json.dumps({"verb": "compare", "name": "", "owner": "", "config": knobs}))
    words = ["compare", "--run", str(tmp_path), "--checkpoints", str(folder), "--device", "cpu"]
    (tmp_path / "stop").write_text("stop")
    assert main(words) == 0
    directory = RunDirectory.open_at(tmp_path)
    assert directory.read_events()[-1]["state"] == "stopped"
    assert main(words) == 0
    whole = directory.read_events()
    assert whole[-1]["state"] == "finished"
    cut = next(place for place, event in enumerate(whole) if event["event"] == "metric") + 2
    directory.events.write_text("".join(json.dumps(event) + "\n" for event in whole[:cut]))
    assert main(words) == 0
    figures = [(e["classifier"], e["metric"], e["value"]) for e in of(directory.read_events(), "figures")]
    assert figures == [(e["classifier"], e["metric"], e["value"]) for e in of(whole, "figures")]


def test_the_command_line_prints_a_table_or_events(folder, capsys):
    line = f"compare digits-resnet digits-one --images 20 --metrics accuracy --checkpoints {folder} --device cpu"
    assert main(line.split()) == 0
    assert "digits-one − digits-resnet" in capsys.readouterr().out
    assert main([*line.split(), "--json"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["state"] == "finished"

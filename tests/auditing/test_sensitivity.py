"""The ranking of directions, computed once more by hand in numpy from the decoded images."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from auditing.digits_case import CONFIG
from auditing.test_figures import assert_share, softmax

from latentlab import datasets
from latentlab.auditing.result import read_result
from latentlab.auditing.tables import write_directions_csv, write_json
from latentlab.auditing.verdict import write_ranking

SPACE, COUNT = "digits-glow", CONFIG.directions


@pytest.fixture(scope="module")
def result(events):
    return read_result(json.loads(json.dumps(events)))


@pytest.fixture(scope="module")
def coded(store, result):
    """The first images in the order of the audit, their labels, and their codes."""
    world, glow = datasets.load_world("digits"), store.load_fast(SPACE)
    rows = result.columns.clean["row"].tolist()[:COUNT]
    images = world.test.take_batch(rows)[0]
    with torch.no_grad():
        return world.test.labels[rows].numpy(), glow.encode(images)


def change_by_hand(store, latents, axis):
    """The probabilities one σ to either side, and half their total variation."""
    glow, network = store.load_fast(SPACE), store.load("digits-resnet-biased")
    with torch.no_grad():
        sides = [glow.decode(latents.unflat(latents.flat + sign * axis)).clamp(0, 1) for sign in (-1, 1)]
        before, after = (softmax(network(images).numpy()) for images in sides)
    return before, after, np.abs(after - before).sum(1) / 2 / 2


@pytest.mark.parametrize("name", ["pc1", "7"])
def test_a_named_direction_by_hand(store, result, coded, name):
    labels, latents = coded
    before, after, change = change_by_hand(store, latents, store.load(SPACE).directions[name])
    (found,) = (one for one in result.rankings[SPACE] if one.name == name)
    assert found.change.value == pytest.approx(change.mean(), rel=1e-2, abs=1e-4)  # other batches, other rounding
    assert found.change.low <= found.change.value <= found.change.high
    assert_share(found.crossed, before.argmax(1) != after.argmax(1))
    assert found.kind == ("principal" if name == "pc1" else "attribute")
    for number, by_class in enumerate(found.by_class):
        own = change[labels == number]
        assert by_class is None if len(own) < 5 else by_class.value == pytest.approx(own.mean(), rel=2e-2, abs=1e-4)
    toward, share = found.toward
    gains = (after - before).argmax(1)
    assert share.value == pytest.approx(np.mean(gains == int(toward)), abs=1e-6)
    assert share.value == pytest.approx(np.bincount(gains).max() / COUNT, abs=1e-6)


def test_the_axis_of_a_part_is_its_first_principal_component(store, result, coded):
    _, latents = coded
    parts = list(latents.parts)
    assert [one.name for one in result.rankings[SPACE] if not one.is_named].sort() == [
        f"axis of {p}" for p in parts
    ].sort()
    values = latents.parts[parts[0]].flatten(1).double().numpy()
    _, sigma, turned = np.linalg.svd(values - values.mean(0), full_matrices=False)
    axis = np.zeros(latents.flat.shape[1])
    axis[: values.shape[1]] = turned[0] * sigma[0] / np.sqrt(COUNT - 1)  # one standard deviation along it
    _, _, change = change_by_hand(store, latents, torch.tensor(axis).float())
    (found,) = (one for one in result.rankings[SPACE] if one.name == f"axis of {parts[0]}")
    assert found.change.value == pytest.approx(change.mean(), rel=2e-2, abs=1e-4)


def test_the_largest_change_comes_first_and_its_pictures_are_those_that_change_most(result):
    ranking = result.rankings[SPACE]
    values = [one.change.value for one in ranking]
    assert values == sorted(values, reverse=True)
    assert len(ranking) == 10 + 8 + 3
    first = ranking[0]
    rows = result.columns.clean["row"].tolist()
    assert rows.index(first.shown[0].row) == int(first.change.each.argmax())


def test_the_words_tell_the_first_from_the_second_only_where_the_images_do(result):
    def tell(direction, changes):
        told = {"space": "a", "chunk": 0, "kind": "attribute", "direction": direction, "change": changes, "shown": []}
        classes = {"label": [0] * 6 + [1] * 6, "before": [0] * 6 + [1] * 6, "after": [0] * 3 + [1] * 9}
        return {"rows": list(range(12)), **classes, "gains": [1] * 12, "loses": [0] * 12, **told}

    close, far = [0.3, 0.25] * 6, [0.02, 0.01] * 6
    events = (tell("x", close), tell("y", close[::-1]), tell("z", far))
    ranked = replace(result, direction_events=events)
    assert [one.name for one in ranked.rankings["a"]] == ["x", "y", "z"]
    assert ranked.rankings["a"][0].by_class[1].value == pytest.approx(0.275)
    assert ranked.rankings["a"][0].by_class[2] is None
    assert ranked.rankings["a"][0].crossed.value == 0.25
    assert "could not be told" in write_ranking(ranked, "a")[1]
    told = replace(result, direction_events=events[1:])
    assert write_ranking(told, "a")[1].endswith("which is less.")


def test_the_files_and_the_verdict_have_it(result):
    told = json.loads(write_json(result))["directions"][SPACE]
    table = list(csv.DictReader(io.StringIO(write_directions_csv(result))))
    assert [one["direction"] for one in told] == [line["direction"] for line in table] != []
    assert float(table[0]["change"]) == told[0]["change"]["value"]
    first = write_ranking(result, SPACE)[0]
    assert first.startswith(f"One σ along {told[0]['direction']} moves {100 * told[0]['change']['value']:.1f} points")


def test_pixels_have_no_directions(result):
    assert list(result.rankings) == [SPACE]

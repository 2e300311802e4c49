"""How far one may go where a knob takes few values: severity, k, parts."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from auditing.digits_case import CONFIG

from latentlab import datasets
from latentlab.auditing import audit_moves
from latentlab.auditing.choices import ChoiceAxis, ChoiceTrial, find_last_kept, list_choice_axes
from latentlab.auditing.chunk import MOVE_CHANCE
from latentlab.auditing.moves import derive_generator
from latentlab.auditing.result import read_result
from latentlab.auditing.verdict import write_verdict
from latentlab.metrics import Estimate
from latentlab.operators import make_operator
from latentlab.training.augmented import Augmentation
from latentlab.types import Batch, Bench

PARTS = ChoiceAxis("parts", (("fine",), ("middle", "fine"), ("coarse", "middle", "fine")))


@pytest.mark.parametrize(
    ("name", "parts", "axes"),
    [
        ("contrast", 1, [ChoiceAxis("severity", (1, 2, 3, 4, 5))]),
        ("k-mixup", 1, [ChoiceAxis("k", (16, 8, 4, 2, 1))]),
        ("mixup", 1, []),
        ("varmixup", 2, []),
        ("randmix", 8, [PARTS]),
        ("randomized-la", 3, [PARTS]),
        ("blur", 1, []),
    ],
)
def test_which_knobs_take_few_values(name, parts, axes):
    assert list_choice_axes(make_operator(name), 20, parts) == axes


@pytest.mark.parametrize(
    ("shares", "limit"), [((1.0, 0.96, 0.9), 2), ((0.9, 1.0, 1.0), None), ((1.0, 0.95, 0.95), 3), ((1.0, 0.9, 1.0), 1)]
)
def test_the_limit_is_the_last_value_before_the_first_that_keeps_too_little(shares, limit):
    trials = [ChoiceTrial(value, Estimate(share, 0, 1), 0.0) for value, share in enumerate(shares, 1)]
    assert find_last_kept(trials, 0.95) == limit


@pytest.fixture(scope="module")
def result(store):
    moves = (Augmentation("contrast", {"severity": 3}), Augmentation("k-mixup"), Augmentation("randomized-la"))
    return read_result(json.loads(json.dumps(list(audit_moves(replace(CONFIG, moves=moves, directions=0), store)))))


def test_a_severity_by_hand(store, result):
    """Two chunks of sixteen hold the 20 images of the search; each draws its own chance."""
    (found,) = result.moves[0].choices
    world, judge, space = datasets.load_world("digits"), store.load("digits-resnet"), store.load("digits-pixels")
    kept, far = [], []
    for place in range(2):
        rows = result.columns.clean["row"].tolist()[16 * place : 16 * place + 16]
        images, labels = world.test.take_batch(rows)[0], world.test.labels[rows]
        bench = Bench(space, None, derive_generator(CONFIG.seed, MOVE_CHANCE, place))
        worse = make_operator("contrast", {"severity": 5})(Batch(images, torch.eye(10)[labels]), bench).images
        with torch.no_grad():
            known = judge(images).argmax(1) == labels
            kept += (judge(worse).argmax(1) == labels)[known].tolist()
        far += (worse - images).flatten(1).norm(dim=1).tolist()
    last = found.trials[-1]
    assert (found.knob, last.value) == ("severity", 5)
    assert int(last.kept.each.sum()) == sum(kept)
    assert len(last.kept.each) == len(kept)
    assert last.distance == pytest.approx(np.mean(far), rel=1e-4)


def test_every_value_is_tried_and_told(result):
    knobs = [[(found.knob, len(found.trials)) for found in move.choices] for move in result.moves]
    assert knobs == [[("severity", 5)], [("k", 5)], [("parts", 3)]]
    for move in result.moves:
        (found,) = move.choices
        told = (f"gentlest {found.knob} on", f"at every value of {found.knob} that", f"No value of {found.knob} that")
        assert sum(any(words in line for words in told) for line in write_verdict(result, move)) == 1

"""A config: JSON in and out, its refusals, the line that asks for the same."""

import json
import shlex

import pytest

from latentlab import knobs
from latentlab.cli import build_parser
from latentlab.cli.train import _build_config
from latentlab.errors import UserError
from latentlab.training.augmented import Augmentation, Config, format_train_command, make_update_batch
from latentlab.training.augmented.learner import SCHEDULES
from latentlab.training.augmented.task import prepare_task

MOVES = (Augmentation("mixup"), Augmentation("noise", {"epsilon": 5.0}, "digits-glow", 0.5))


def test_json_there_and_back_is_the_same_config():
    whole = Config(augmentations=MOVES, rows=(3, 5), attribute="", clean=0.25, epochs=0.5)
    assert knobs.tool_from_json(Config, json.loads(json.dumps(knobs.tool_to_json(whole)))) == whole


@pytest.mark.parametrize(
    ("knob", "value", "message"),
    [
        ("rows", [1, -2], "rows is -2"),
        ("rows", "1,2", "rows"),
        ("rows", [1, True], "rows is True"),
        ("augmentations", ["mixup"], "an object with method"),
        ("augmentations", [{"metod": "mixup"}], "has no knob metod"),
        ("augmentations", [{"probability": 2}], "probability"),
        ("augmentations", [{}] * 9, "0 to 8 of them"),
        ("network", "gan", "one of resnet"),
        ("rate", float("nan"), "rate"),
    ],
)
def test_a_wrong_knob_is_one_clear_line(knob, value, message):
    with pytest.raises(UserError, match=message):
        knobs.tool_from_json(Config, {knob: value})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs": 0, "steps": 0}, "no budget"),
        ({"augmentations": [{"method": "magic"}]}, "no operator 'magic'"),
        ({"augmentations": [{"method": "noise", "settings": {"epsilon": -1}}]}, "epsilon"),
        ({"augmentations": [{"space": "digits-resnet"}]}, "no latent model"),
        ({"augmentations": [{"method": "randmix", "space": "digits-pixels"}]}, "single latent part"),
        ({"parent": "digits-glow"}, "no classifier"),
        ({"parent": "nothing"}, "no network 'nothing'"),
        ({"rows": [99999]}, "no training image 99999"),
        ({"attribute": "Smiling"}, "not attributes"),
        ({"world": "moon"}, "moon"),
    ],
)
def test_what_cannot_be_trained_is_refused_before_it_starts(change, message, config, store):
    with pytest.raises(UserError, match=message):
        make_update_batch(config(**change), store, 1)


def test_the_command_of_a_config_asks_for_the_same():
    whole = Config(
        augmentations=MOVES, world="digits", clean=0.25, standard=False, steps=7, epochs=0.0, schedule="tenths"
    )
    argv = [*shlex.split(format_train_command(whole))[1:], "--out", "x.safetensors"]
    assert _build_config(build_parser(argv).parse_args(argv)) == whole


def test_the_schedules_drop_where_the_papers_do():
    """Of 200 epochs: Yuksel ×0.2 at 60, 120, 160; k-mixup ×0.1 at 100, 150."""
    assert [round(SCHEDULES["fifths"](e / 200), 6) for e in (59, 60, 119, 120, 159, 160)] == [
        1,
        0.2,
        0.2,
        0.04,
        0.04,
        0.008,
    ]
    assert [round(SCHEDULES["tenths"](e / 200), 6) for e in (99, 100, 149, 150)] == [1, 0.1, 0.1, 0.01]
    assert SCHEDULES["constant"](0.9) == 1
    assert SCHEDULES["cosine"](0.2) == pytest.approx(1)
    assert SCHEDULES["cosine"](1.0) == pytest.approx(0.01)


@pytest.mark.parametrize(("method", "kind"), [("randmix", "stylegan2"), ("mixup", "pixels"), ("varmixup", "vae")])
def test_a_variant_of_a_world_moves_in_the_spaces_of_that_world(method, kind, store):
    config = Config(world="digits-biased", augmentations=(Augmentation(method),), epochs=0, steps=1)
    task = prepare_task(config, store)
    assert list(task.recipe["spaces"]) == [f"digits-{kind}"]

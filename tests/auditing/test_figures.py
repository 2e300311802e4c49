"""Every figure of an audit, computed once more by hand in plain numpy from the moved images."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from auditing.digits_case import CONFIG, MOVES

from latentlab import chance, datasets
from latentlab.auditing.chunk import DENSITY_CHANCE, MOVE_CHANCE, NOISE_CHANCE
from latentlab.auditing.moves import derive_generator
from latentlab.auditing.noise_control import add_noise_at_distance
from latentlab.auditing.result import read_result
from latentlab.auditing.verdict import write_verdict
from latentlab.images import round_levels
from latentlab.operators import make_operator
from latentlab.types import Batch, Bench

Z = 1.959963984540054  # standard deviations of a normal law within which 95 % lie


def wilson(hits):
    """Wilson 1927, from the formula."""
    n, p = len(hits), np.mean(hits)
    middle, half = p + Z**2 / (2 * n), Z * math.sqrt(p * (1 - p) / n + Z**2 / (4 * n**2))
    return p, (middle - half) / (1 + Z**2 / n), (middle + half) / (1 + Z**2 / n)


def softmax(logits):
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


@pytest.fixture(scope="module")
def by_hand(store, events):
    """Images, labels, answers and features of all chunks, of the images and of what each move makes of them."""
    world = datasets.load_world("digits")
    rows = [event["record"]["clean"]["row"] for event in events if event["event"] == "chunk"]
    joined = [row for chunk in rows for row in chunk]
    judge, classifier = store.load("digits-resnet"), store.load("digits-resnet-biased")
    flow = store.load("digits-glow")
    seen = {"labels": world.test.labels[joined].numpy(), "rows": rows}

    def look(images, place):
        levels = round_levels(images)
        nats = flow.log_prob(levels, derive_generator(CONFIG.seed, DENSITY_CHANCE, place))
        return {
            "judge": judge(images).numpy(),
            "classifier": classifier(images).numpy(),
            "features": judge.extract_features(images).numpy(),
            "bits": -nats.numpy() / (3072 * math.log(2)),
            "images": images.numpy(),
        }

    def join(parts):
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    with torch.no_grad():
        clean = [world.test.take_batch(chunk)[0] for chunk in rows]
        seen["clean"] = join([look(images, place) for place, images in enumerate(clean)])
        for move, space in zip(MOVES, (store.load_fast("digits-glow"), store.load_fast("digits-pixels")), strict=True):
            moved, noise, targets, rebuilt = [], [], [], []
            for place, images in enumerate(clean):
                labels = torch.eye(10)[world.test.labels[rows[place]]]
                bench = Bench(
                    space,
                    store.load_fast("digits-resnet-biased"),
                    derive_generator(CONFIG.seed, MOVE_CHANCE, place),
                )
                after = make_operator(move.method, move.settings)(Batch(images, labels), bench)
                moved.append(look(after.images, place))
                targets.append(after.targets.numpy())
                far = (after.images - images).flatten(1).norm(dim=1)
                rng = derive_generator(CONFIG.seed, NOISE_CHANCE, place)
                noise.append(look(add_noise_at_distance(images, far, rng), place))
                rebuilt.append(look(space.decode(space.encode(images)).clamp(0, 1), place))
            seen[move.method] = {
                "moved": join(moved),
                "noise": join(noise),
                "rebuilt": join(rebuilt),
                "targets": np.concatenate(targets),
            }
        order = chance.draw_permutation(len(world.train), chance.make_generator(CONFIG.seed))[:2000]
        seen["real"] = np.concatenate(
            [judge.extract_features(world.train.take_batch(few)[0]).numpy() for few in order.split(500)]
        )
    return seen


@pytest.fixture(scope="module")
def result(events):
    return read_result(events)


def assert_share(found, hits):
    assert (found.value, found.low, found.high) == pytest.approx(wilson(hits), abs=1e-6)


@pytest.mark.parametrize("place", range(len(MOVES)))
def test_labels_kept_by_judge_and_classifier(result, by_hand, place):
    move, own, labels = result.moves[place], by_hand[MOVES[place].method], by_hand["labels"]
    figures, target = move.summary.figures, own["targets"].argmax(1)
    known = by_hand["clean"]["judge"].argmax(1) == labels
    kept = (own["moved"]["judge"].argmax(1) == target)[known]
    survived = (own["rebuilt"]["judge"].argmax(1) == labels)[known]
    assert_share(figures["kept"], kept)
    assert_share(figures["kept by rebuilding"], survived)
    assert_share(figures["lost by the model"], ~kept & ~survived)
    assert_share(figures["lost by the move"], ~kept & survived)
    assert_share(figures["kept under noise"], (own["noise"]["judge"].argmax(1) == labels)[known])
    sure = by_hand["clean"]["classifier"].argmax(1) == labels
    assert_share(figures["classifier kept"], (own["moved"]["classifier"].argmax(1) == target)[sure])
    confusion = np.zeros((10, 10), int)
    np.add.at(confusion, (target[known], own["moved"]["judge"].argmax(1)[known]), 1)
    assert move.summary.confusion.tolist() == confusion.tolist()


@pytest.mark.parametrize("place", range(len(MOVES)))
def test_distances_confidence_and_soft_labels(result, by_hand, place):
    move, own, clean = result.moves[place], by_hand[MOVES[place].method], by_hand["clean"]
    figures = move.summary.figures
    gap = (own["moved"]["images"] - clean["images"]).reshape(47, -1)
    far = np.sqrt((gap.astype(float) ** 2).sum(1))
    assert figures["distance"].value == pytest.approx(far.mean(), rel=1e-4)
    assert move.summary.quartiles == pytest.approx(np.quantile(far, [0.25, 0.5, 0.75]), rel=1e-4)
    before, after = (softmax(one["classifier"]).max(1) for one in (clean, own["moved"]))
    assert figures["confidence gained"].value == pytest.approx((after - before).mean(), abs=1e-4)
    judged = softmax(own["moved"]["judge"])
    apart = np.abs(own["targets"] - judged).sum(1) / 2
    assert figures["disagreement"].value == pytest.approx(apart.mean(), abs=1e-4)
    hits = own["moved"]["classifier"].argmax(1) == own["targets"].argmax(1)
    bins = np.minimum((after * 15).astype(int), 14)
    error = sum(abs(hits[bins == b].sum() - after[bins == b].sum()) for b in range(15)) / 47
    assert figures["calibration error"].value == pytest.approx(error, abs=1e-4)
    named = np.sort(own["targets"], 1)[:, -2] >= 0.25
    pairs = [
        set(np.argsort(label)[-2:]) == set(np.argsort(seen)[-2:])
        for label, seen in zip(own["targets"], judged, strict=True)
    ]
    assert ("sees both classes" in figures) == bool(named.any())
    if named.any():
        assert_share(figures["sees both classes"], np.array(pairs)[named])


@pytest.mark.parametrize("place", range(len(MOVES)))
def test_off_the_manifold(result, by_hand, place):
    figures, own, clean = result.moves[place].summary.figures, by_hand[MOVES[place].method], by_hand["clean"]
    low, high = np.quantile(clean["bits"], [0.025, 0.975])
    bits = own["moved"]["bits"]
    assert_share(figures["outside usual bits/dim"], (bits < low) | (bits > high))
    assert figures["bits/dim gained"].value == pytest.approx((bits - clean["bits"]).mean(), abs=1e-3)

    def nearest(features):
        return np.sqrt(((features[:, None] - by_hand["real"][None]) ** 2).sum(2)).min(1)

    farthest = np.quantile(nearest(clean["features"]), 0.95)
    assert_share(figures["far from real images"], nearest(own["moved"]["features"]) > farthest)


def test_the_figures_of_a_pipeline_hold_where_the_whole_interval_does(result):
    from latentlab.auditing.tables import list_unmet, parse_requirement

    move = result.moves[1]
    kept = move.summary.figures["kept"]
    below, above = f"kept>={kept.low - 1e-3}", f"kept>={kept.low + 1e-3}"
    assert not [line for line in list_unmet(result, [parse_requirement(below)]) if line.startswith(move.title)]
    (line,) = (line for line in list_unmet(result, [parse_requirement(above)]) if line.startswith(move.title))
    assert f"{kept.value:.3f}" in line


def test_the_verdict_says_what_the_figures_say(result):
    move = result.moves[1]
    first, *rest = write_verdict(result, move)
    kept, gap = (move.summary.figures[name] for name in ("kept", "kept beyond noise"))
    shown = f"{100 * kept.value:.1f} % ({100 * kept.low:.1f}–{100 * kept.high:.1f})"
    assert first == f"Keeps the label of {shown} of the {len(kept.each)} images that the judge knew."
    assert gap.low < 0 < gap.high
    ends = f"{100 * gap.low:+.1f} to {100 * gap.high:+.1f} points"
    assert f"Whether pixel noise at the same distance keeps more or fewer labels could not be told ({ends})." in rest

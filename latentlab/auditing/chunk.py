"""What is measured on one chunk of images: a column a measure, a value an image; the images themselves are let go."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from latentlab.auditing.codes import CodeCache
from latentlab.auditing.moves import AuditedMove, derive_generator
from latentlab.auditing.noise_control import add_noise_at_distance
from latentlab.auditing.subject import AuditSubject, require_finite
from latentlab.errors import UserError
from latentlab.images import png, round_levels
from latentlab.operators import LatentOperator, decode, measure_distance
from latentlab.types import Batch, Images, Latents, Logits, Targets

DIGITS = 6  # of a number in a record
SHOWN_LOST, SHOWN_OTHERS = 16, 3  # pictures of a move that are kept of each chunk, by what is wrong with them
EVEN_SHARE = 0.25  # of a label, from which on the judge is expected to see its class

Columns = dict[str, list[Any]]
MOVE_CHANCE, NOISE_CHANCE, DENSITY_CHANCE = 1, 2, 3  # what chance is drawn for


@torch.no_grad()
def measure_chunk(subject: AuditSubject, place: int) -> dict[str, Any]:
    """Return the record of one chunk: the images as they are, rebuilt by each space, and after each move."""
    rows = subject.chunks[place]
    batch = subject.take_batch(rows)
    clean = {"row": rows.tolist(), **_measure_clean(subject, batch, place)}
    codes = CodeCache()
    spaces: dict[str, Columns] = {}
    rebuilt: dict[str, Images] = {}
    moves = {}
    for move in subject.moves:
        name, latents = move.space_name, codes.encode_chunk(move, place, batch.images)
        if name not in spaces:
            rebuilt[name] = _rebuild_chunk(move, latents)
            spaces[name] = {
                **_judge_images(subject, rebuilt[name]),
                "distance": round_column(measure_distance(rebuilt[name], batch.images)),
            }
        moves[move.title] = measure_move(subject, move, batch, latents, rebuilt[name], place)
    return {"clean": clean, "spaces": spaces, "moves": moves}


def _rebuild_chunk(move: AuditedMove, latents: Latents) -> Images:
    images = decode(move.space, latents)
    if not images.isfinite().all():
        raise UserError(f"{move.space_name} rebuilds images as NaN; choose another model.")
    return images


def move_chunk(
    subject: AuditSubject, move: AuditedMove, batch: Batch, place: int, latents: Latents | None = None
) -> Batch:
    """Move the images of a chunk: the same chance each time, and for every move; who has their latents gives them."""
    bench = move.make_bench(subject.attacked_network, derive_generator(subject.config.seed, MOVE_CHANCE, place))
    if latents is None or not isinstance(move.operator, LatentOperator):
        moved = move.operator(batch, bench)
    else:
        moved = move.operator.move_encoded(latents, batch, bench)
    if not moved.images.isfinite().all():
        raise UserError(
            f"{move.title} gives NaN or infinite pixels in {move.space_name}; choose a smaller move, or another model."
        )
    return moved


def _measure_clean(subject: AuditSubject, batch: Batch, place: int) -> Columns:
    judged = ask_network(subject.judge_network, subject.judge, batch.images)
    return {
        "label": batch.targets.argmax(1).tolist(),
        **_read_logits(ask_network(subject.test_network, subject.classifier, batch.images)),
        "judged": judged.argmax(1).tolist(),
        "disagreement": _compare_soft_labels(batch.targets, judged)["disagreement"],
        **_measure_manifold(subject, batch.images, place),
    }


def measure_move(
    subject: AuditSubject, move: AuditedMove, batch: Batch, latents: Latents, rebuilt: Images, place: int
) -> dict[str, Any]:
    """Move the images and ask everybody: a column a measure, and the pictures that are kept."""
    moved = move_chunk(subject, move, batch, place, latents)
    distances = measure_distance(moved.images, batch.images)
    noise = add_noise_at_distance(batch.images, distances, derive_generator(subject.config.seed, NOISE_CHANCE, place))
    judged = ask_network(subject.judge_network, subject.judge, moved.images)
    control = _judge_images(subject, noise)
    target = moved.targets.argmax(1)
    columns: dict[str, Any] = {
        "target": target.tolist(),
        **_read_logits(ask_network(subject.test_network, subject.classifier, moved.images)),
        "judged": judged.argmax(1).tolist(),
        "distance": round_column(distances),
        "travel": round_column(measure_distance(moved.images, rebuilt)),
        **_compare_soft_labels(moved.targets, judged),
        "noise guess": control["guess"],
        "noise judged": control["judged"],
        **_measure_manifold(subject, moved.images, place),
    }
    places = choose_shown_places(columns)
    columns["pictures"] = {str(place): base64.b64encode(png(moved.images[place])).decode() for place in places}
    return columns


def _judge_images(subject: AuditSubject, images: Images) -> Columns:
    return {
        **_read_logits(ask_network(subject.test_network, subject.classifier, images)),
        "judged": ask_network(subject.judge_network, subject.judge, images).argmax(1).tolist(),
    }


def ask_network(network: nn.Module, name: str, images: Images) -> Logits:
    """Return what a classifier answers; refuse NaN in the classifier's name."""
    return require_finite(network(images), name)


def _read_logits(logits: Logits) -> Columns:
    confidence, guess = logits.softmax(1).max(1)
    return {"guess": guess.tolist(), "confidence": round_column(confidence)}


def _compare_soft_labels(targets: Targets, judged: Logits) -> Columns:
    """Return how far the judge's probabilities are from the label (total variation), and whether it sees both classes.

    It sees both where its two likeliest classes are those of the label; −1 where the label does not name two.
    """
    apart = (targets - judged.softmax(1)).abs().sum(1) / 2
    shares, named = targets.topk(2, 1)
    seen = judged.topk(2, 1).indices
    both = (named.sort(1).values == seen.sort(1).values).all(1).long()
    return {"disagreement": round_column(apart), "both": torch.where(shares[:, 1] >= EVEN_SHARE, both, -1).tolist()}


def _measure_manifold(subject: AuditSubject, images: Images, place: int) -> Columns:
    columns = {}
    if subject.density is not None:
        rng = derive_generator(subject.config.seed, DENSITY_CHANCE, place)
        levels = round_levels(images).to(images.device)
        bits = -subject.density.log_prob(levels, rng) / (math.prod(images.shape[1:]) * math.log(2))
        columns["bits"] = round_column(bits)
    if subject.nearest is not None:
        columns["nearest"] = round_column(subject.nearest.measure_distances(images))
    return columns


def round_column(values: Tensor) -> list[float | None]:
    """Return the numbers as they are written: what is read again is what was measured. None where there is none."""
    return [float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None for value in values.tolist()]


def choose_shown_places(columns: Mapping[str, Any]) -> list[int]:
    """Choose whose pictures are kept: of each kind of trouble the farthest moved, or the farthest from real images."""
    count = len(columns["distance"])
    lost = [place for place in range(count) if columns["judged"][place] != columns["target"][place]]
    apart = [place for place in range(count) if columns["judged"][place] != columns["guess"][place]]
    off = range(count) if "nearest" in columns else ()
    chosen = [
        *_take_largest(lost, columns["distance"], SHOWN_LOST),
        *_take_largest(apart, columns["distance"], SHOWN_OTHERS),
        *_take_largest(off, columns.get("nearest", []), SHOWN_OTHERS),
    ]
    return sorted(set(chosen))


def _take_largest(places: Iterable[int], values: Sequence[float | None], count: int) -> list[int]:
    return sorted(places, key=lambda place: -(values[place] or 0.0))[:count]

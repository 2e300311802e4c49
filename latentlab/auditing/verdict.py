"""The verdict in words: every word is carried by a number and its interval, or it says that it could not be told."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch

from latentlab.auditing.choices import write_choice
from latentlab.auditing.direction_ranking import RankedDirection, find_most_changed_class
from latentlab.auditing.reach import Limit, ReachAxis
from latentlab.auditing.result import AuditResult, MoveResult
from latentlab.auditing.summary import SHARE_OUTSIDE
from latentlab.knobs import KNOB_LETTERS
from latentlab.metrics import Estimate, estimate_mean, estimate_share

UNKNOWN, NO_LIMIT = "could not be told", "none"
SENSITIVITY_TITLE = "What is the classifier sensitive to?"


def write_verdict(result: AuditResult, move: MoveResult) -> list[str]:
    """Return the sentences of one move, the most important first."""
    return [
        *_describe_labels(result, move),
        *_describe_place(result, move),
        *_describe_limit(result, move),
        *_describe_choices(result, move),
        *_describe_cost(move),
    ]


def write_ranking(result: AuditResult, space: str) -> list[str]:
    """Return the sentences of one space: along which direction the decision changes most, if that can be told."""
    first, *others = result.rankings[space]
    count = 0 if first.change.each is None else len(first.change.each)
    lines = [
        f"One σ along {first.name} moves {_write_mean_points(first.change)} of probability between classes, over "
        f"{count:,} images; {write_share(first.crossed)} are of another class at +1 σ than at −1 σ."
    ]
    lines += [_compare_directions(first, others[0])] if others else []
    for words, (name, found) in (("gains", first.toward), ("loses", first.away)):
        if found.low > 0.5:
            lines.append(f"{name} {words} most in {write_share(found)} of the images on the way up.")
    most = find_most_changed_class(first)
    if most is not None and most[1].low > first.change.high:
        lines.append(f"Images of {result.classes[most[0]]} follow it most: {_write_mean_points(most[1])}.")
    return lines


def _compare_directions(first: RankedDirection, second: RankedDirection) -> str:
    words = f"Next is {second.name} with {_write_mean_points(second.change)}"
    if first.change.each is None or second.change.each is None or len(first.change.each) != len(second.change.each):
        return f"{words}."
    gap = estimate_mean(first.change.each - second.change.each)
    return f"{words}, which is less." if gap.low > 0 else f"{words}; which of the two moves more {UNKNOWN}."


def _write_mean_points(found: Estimate) -> str:
    return _write_points(found.value, found.low, found.high)


def list_doubts(result: AuditResult) -> list[str]:
    """Return why not to trust the judge; nothing where it is at least as good as the classifier, as far as is known."""
    judge, classifier = (result.clean.figures[f"accuracy of the {who}"] for who in ("judge", "classifier"))
    if judge.high >= classifier.low:
        return []
    return [
        f"The judge is right on {write_share(judge)} of the images as they are, the classifier on "
        f"{write_share(classifier)}: doubt what it says, or name a better judge."
    ]


def write_share(found: Estimate) -> str:
    """Write a share with its interval: 97.1 % (95.8–98.0)."""
    return f"{100 * found.value:.1f} % ({100 * found.low:.1f}–{100 * found.high:.1f})"


def _describe_labels(result: AuditResult, move: MoveResult) -> Iterator[str]:
    figures = move.summary.figures
    if "kept" not in figures:
        yield f"The judge knows none of the images, so what the move keeps {UNKNOWN}."
        return
    kept = figures["kept"]
    count = 0 if kept.each is None else len(kept.each)
    yield f"Keeps the label of {write_share(kept)} of the {count:,} images that the judge knew."
    yield from _describe_confusion(result.classes, move)
    yield from _describe_cause(figures)
    yield _compare_noise(figures["kept beyond noise"])
    if "sees both classes" in figures:
        both = figures["sees both classes"]
        yield (
            f"Where the label names two classes evenly enough, the judge sees both in {write_share(both)} of "
            f"{0 if both.each is None else len(both.each):,} images."
        )


def _describe_confusion(classes: Sequence[str], move: MoveResult) -> Iterator[str]:
    lost = move.summary.confusion.clone().fill_diagonal_(0)
    total = int(lost.sum())
    if not total:
        return
    place = int(lost.argmax())
    label, seen = divmod(place, len(classes))
    pair, count = f"{classes[label]} seen as {classes[seen]}", int(lost.max())
    share = estimate_share(torch.arange(total).lt(count).float())
    mostly = "mostly" if share.low > 0.5 else "most often"
    tied = int((lost == count).sum()) > 1
    if tied:
        yield f"Of the {total:,} lost, no pair of classes stands out ({count:,} at most)."
    else:
        yield f"Of the {total:,} lost, {mostly} {pair} ({count:,} of {total:,})."


def _describe_cause(figures: dict[str, Estimate]) -> Iterator[str]:
    model, own = figures["lost by the model"], figures["lost by the move"]
    if not model.value and not own.value:
        return
    if model.value == 0:
        yield f"Rebuilding alone loses none of these; the move loses {write_share(own)}."
    else:
        yield f"Rebuilding alone loses {write_share(model)}, the move {write_share(own)} more."


def _compare_noise(gap: Estimate) -> str:
    if gap.low == gap.high == 0:
        return "Pixel noise at the same distance keeps the labels of the same images."
    if gap.low > 0:
        return f"Pixel noise at the same distance keeps fewer labels, by {_write_points(gap.value, gap.low, gap.high)}."
    if gap.high < 0:
        return (
            f"Pixel noise at the same distance keeps more labels, by {_write_points(-gap.value, -gap.high, -gap.low)}."
        )
    ends = f"{100 * gap.low:+.1f} to {100 * gap.high:+.1f} points"
    return f"Whether pixel noise at the same distance keeps more or fewer labels {UNKNOWN} ({ends})."


def _write_points(value: float, low: float, high: float) -> str:
    return f"{100 * value:.1f} points ({100 * low:.1f} to {100 * high:.1f})"


def _describe_place(result: AuditResult, move: MoveResult) -> Iterator[str]:
    figures = move.summary.figures
    for name, words in (
        ("outside usual bits/dim", "outside the flow's usual bits/dim"),
        ("far from real images", "farther from the nearest real image than real images usually are"),
    ):
        if name in figures:
            found = figures[name]
            beside = f"of the images themselves {100 * SHARE_OUTSIDE:.0f} %"
            if found.low <= SHARE_OUTSIDE <= found.high:
                yield f"{write_share(found)} lie {words}, which is not told from real images ({beside})."
            else:
                yield f"{write_share(found)} lie {words} ({beside})."


def _describe_limit(result: AuditResult, move: MoveResult) -> Iterator[str]:
    if move.limit is None or move.axis is None:
        return
    share = f"{100 * result.config.keep:g} % of the labels"
    text, ends = write_limit(move.axis, move.limit)
    if move.limit.value is None or text == NO_LIMIT:
        yield f"No value that was tried keeps {share}."
    elif move.limit.open:
        yield f"Up to {text}, the farthest that was tried, the judge keeps {share}; how much farther {UNKNOWN}."
    else:
        yield f"The judge keeps {share} as long as {text} ({ends})."


def _describe_choices(result: AuditResult, move: MoveResult) -> Iterator[str]:
    share = f"{100 * result.config.keep:g} % of the labels"
    for found in move.choices:
        last = found.trials[-1].value
        if found.limit is None:
            yield f"No value of {found.knob} that was tried keeps {share}."
        elif found.limit == last:
            yield f"The judge keeps {share} at every value of {found.knob} that was tried, up to {write_choice(last)}."
        else:
            limit = write_choice(found.limit)
            yield f"From the gentlest {found.knob} on, the judge keeps {share} as far as {found.knob} {limit}."


def write_limit(axis: ReachAxis, limit: Limit) -> tuple[str, str]:
    """Write how far one may go, and the ends of its interval: ε ≤ 0.8, 0.6 to 1.1."""
    letter = KNOB_LETTERS.get(axis.knob) or axis.knob.replace("_", " ")
    if limit.value is None or (limit.value == axis.still and not limit.open):
        return NO_LIMIT, ""
    if limit.open:
        return f"{letter} {axis.end:.3g}", "the farthest tried"
    sign = "≤" if axis.end > axis.still else "≥"
    low = f"{axis.still:.3g}" if limit.low is None else f"{limit.low:.3g}"
    beyond = "more than " if axis.end > axis.still else "less than "
    high = limit.value if limit.high is None else limit.high
    return f"{letter} {sign} {limit.value:.3g}", f"{low} to {beyond if high == axis.end else ''}{high:.3g}"


def _describe_cost(move: MoveResult) -> Iterator[str]:
    text = f"One batch costs {move.steps:.2g} plain training steps"
    if move.hours is None:
        yield f"{text}."
    else:
        yield f"{text}; the full run takes {move.hours:.3g} hours on this device, {move.extra_hours:.3g} for the move."

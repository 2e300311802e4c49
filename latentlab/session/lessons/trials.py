"""The questions whose answers take longer than a look: two trainings, and the search for a limit, step by step."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from torch import Tensor

from latentlab.auditing import Audit
from latentlab.auditing.codes import CodeCache
from latentlab.auditing.reach import ReachAxis, Trial, find_bracket, find_limit, find_reach_axis, search_limits
from latentlab.auditing.subject import prepare_subject
from latentlab.auditing.verdict import write_limit
from latentlab.metrics.intervals import estimate_mean
from latentlab.session.lessons.biased_race import run_race
from latentlab.session.lessons.experiments import Answer, choose_larger, format_whole_percent, require_biased_classifier
from latentlab.session.workspace import Workspace
from latentlab.training.augmented import Augmentation

LIMIT_WORLD, LIMIT_JUDGE = "digits", "digits-resnet"
LIMIT_COUNT = 200  # digits by which a limit is searched
RADII = (1.0, 2.8)  # σ between the options; the second is the noise of lesson 1
NOISES = {
    "code": Augmentation("noise", {"epsilon": 4.0}, "digits-vae"),
    "pixels": Augmentation("noise", {"epsilon": 12.0}),
}


def race_classifiers(workspace: Workspace) -> Iterator[Mapping[str, Answer]]:
    """Yield nothing new while the classifiers learn, at last the answers of lesson 5."""
    start, results = time.perf_counter(), []
    for found in run_race(workspace.store):
        results += [] if found is None else [found]
        yield {}
    (result,) = results
    seconds = f"{time.perf_counter() - start:.0f}"
    yield {
        "learned": _compare_readers(result.standard, result.swapped, seconds),
        "shortcut-kept": _compare_readers(result.standard_coloured, result.swapped_coloured, seconds),
    }


def _compare_readers(standard: Tensor, swapped: Tensor, seconds: str) -> Answer:
    """Say which reads more, by Student's interval of the paired differences."""
    apart = estimate_mean(swapped - standard)
    numbers = {
        "standard": format_readings(standard),
        "swapped": format_readings(swapped),
        "apart": _format_points(apart.value),
        "low": _format_points(apart.low),
        "high": _format_points(apart.high),
        "seconds": seconds,
    }
    return Answer(choose_larger(standard, swapped), numbers)


def format_readings(shares: Tensor) -> str:
    """Write the mean share in per cent with those of the seeds."""
    each = ", ".join(f"{100 * float(share):.0f}" for share in shares)
    return f"{format_whole_percent(float(shares.mean()))} ({each})"


def _format_points(share: float) -> str:
    return f"{100 * share:+.0f}".replace("-", "−")


@dataclass(frozen=True, eq=False)
class NoiseLimit:
    """How far one noise may go: its axis, its trials by value, and the share of labels to keep."""

    axis: ReachAxis
    trials: Mapping[float, Trial]
    keep: float

    def measure_distance_at(self, end: str) -> float:
        """Return the mean l2 distance at the limit, or at an end of its interval."""
        before, _ = find_bracket(self.axis, self.trials, self.keep, end)
        return self.trials[self.axis.still if before is None else before]["distance"]


def search_noise_limits(workspace: Workspace) -> Iterator[Mapping[str, Answer]]:
    """Yield nothing new while values are tried, at last the answers of lesson 6."""
    config = Audit(
        world=LIMIT_WORLD,
        moves=tuple(NOISES.values()),
        classifier=require_biased_classifier(workspace),
        judge=LIMIT_JUDGE,
        images=LIMIT_COUNT,
        reach=LIMIT_COUNT,
    )
    start, trials = time.perf_counter(), []
    subject = prepare_subject(config, workspace.store)
    for _, trial in search_limits(subject, (), CodeCache()):
        trials.append(trial)
        yield {}
    limits = {}
    for name, move in zip(NOISES, subject.moves, strict=True):
        axis, own = find_reach_axis(move.operator), {t["value"]: t for t in trials if t["move"] == move.title}
        assert axis is not None
        limits[name] = NoiseLimit(axis, own, config.keep)
    seconds = f"{time.perf_counter() - start:.0f}"
    code, pixels = limits["code"], limits["pixels"]
    yield {"limit": _answer_limit(code, seconds), "farther": _answer_farther(code, pixels)}


def _answer_limit(code: NoiseLimit, seconds: str) -> Answer:
    limit = find_limit(code.axis, code.trials, code.keep)
    text, ends = write_limit(code.axis, limit)
    reached = limit.value or 0.0
    seen = 0 if reached < RADII[0] else 1 if reached <= RADII[1] else 2
    count = len(code.trials[code.axis.still]["kept"])
    return Answer(seen, {"limit": f"{text} σ", "ends": f"{ends} σ", "count": str(count), "seconds": seconds})


def _answer_farther(code: NoiseLimit, pixels: NoiseLimit) -> Answer:
    """Say which goes farther where the intervals of the limits are apart."""
    (low, value, high), (other_low, other, other_high) = (
        tuple(found.measure_distance_at(end) for end in ("low", "value", "high")) for found in (code, pixels)
    )
    seen = 0 if low > other_high else 1 if other_low > high else 2
    numbers = {
        "code": f"{value:.1f}",
        "code_ends": f"{low:.1f} to {high:.1f}",
        "pixels": f"{other:.1f}",
        "pixel_ends": f"{other_low:.1f} to {other_high:.1f}",
    }
    return Answer(seen, numbers)


TRIALS: dict[str, Callable[[Workspace], Iterator[Mapping[str, Answer]]]] = {
    "learned": race_classifiers,
    "shortcut-kept": race_classifiers,
    "limit": search_noise_limits,
    "farther": search_noise_limits,
}

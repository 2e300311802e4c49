"""The lessons' questions, answered on the networks at hand: numbers, what they bear out, the pictures behind them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from latentlab import datasets
from latentlab.errors import UserError
from latentlab.metrics.intervals import estimate_mean, estimate_share
from latentlab.operators import METHODS, Adversary, Mix, Noise, calibrate_knob, match_points
from latentlab.session import mixing
from latentlab.session.lessons.subjects import SHOWN_PICTURES, LessonSubject, MovedPictures, PictureStrip, average_flags
from latentlab.session.mixing import PairingComparison
from latentlab.session.workspace import Workspace

TRANSPORT_SET_SIZE = 16  # pictures in each set of the transport
ACCURACY_COUNT = 256  # pictures of an accuracy
NOISE_RADIUS, ATTACK_RADIUS = 0.7, 0.18  # of noise and of an attack on the code, times √D: the typical length of a code
ATTACK_STEPS, ATTACK_STEP_SIZE = 5, 0.4
SIGNIFICANCE_LEVEL = 0.05  # above it the pictures at hand cannot tell
CLASS_SET_SIZE = 128  # pictures in each set, where pairs of one class are counted
BIASED_CLASSIFIER = "digits-resnet-biased"
BIASED_FIT_COMMAND = (
    "latentlab fit resnet --data digits-biased --out checkpoints/digits-resnet-biased.safetensors --steps 500"
)


@dataclass(frozen=True, eq=False)
class Answer:
    """An `Answer` says which option the numbers bear out; numbers and units stand as the texts name them."""

    seen: int
    numbers: Mapping[str, str]
    strips: tuple[PictureStrip, ...] = ()
    plan: PairingComparison | None = None
    mixes: PairingComparison | None = None  # a plan of which only the mixed pictures are of interest


def format_whole_percent(value: float) -> str:
    return f"{100 * value:.0f} %"


def format_bits_change(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−")


def format_share(flags: Sequence[bool]) -> str:
    """Write a share in whole per cent with its 95 % interval."""
    found = estimate_share(torch.tensor(flags).float())
    low, high = 100 * found.low, format_whole_percent(found.high)
    return f"{format_whole_percent(found.value)} (95 % interval {low:.0f} to {high})"


def choose_more_often(a: Sequence[bool], b: Sequence[bool]) -> int:
    """Return 0 where a holds more often, 1 where b does, 2 where these pictures cannot tell: the exact sign test of
    those on which the two differ.
    """
    from scipy.stats import binomtest

    pairs = list(zip(a, b, strict=True))
    only_a, only_b = pairs.count((True, False)), pairs.count((False, True))
    differ = only_a + only_b
    if not differ or binomtest(only_a, differ).pvalue > SIGNIFICANCE_LEVEL:
        return 2
    return 0 if only_a > only_b else 1


def choose_larger(a: Tensor, b: Tensor) -> int:
    """Return 0 where the mean of a is larger, 1 where b's is, 2 where the interval of their difference holds none."""
    apart = estimate_mean(a - b)
    return 0 if apart.low > 0 else 1 if apart.high < 0 else 2


def move_by_equal_noise(subject: LessonSubject) -> tuple[MovedPictures, MovedPictures]:
    """Add noise to the VAE code, and noise to the pixels that goes as far."""
    code = subject.move_pictures("vae", Noise(epsilon=NOISE_RADIUS * subject.measure_code_length("vae")))
    bench = subject.workspace.store.bench(subject.find_model("pixels"), None, 0)
    grain = calibrate_knob(Noise(epsilon=1.0), "epsilon", code.mean_distance, subject.batch, bench)
    return code, subject.move_pictures("pixels", grain)


def make_both_strips(
    subject: LessonSubject, code: MovedPictures, pixels: MovedPictures, titles: tuple[str, str]
) -> tuple[PictureStrip, ...]:
    """Show the pictures as they are, and after both moves with their distances."""
    ours, theirs = (
        f"{title}, l2 {moved.mean_distance:.2f}" for title, moved in zip(titles, (code, pixels), strict=True)
    )
    return (
        subject.make_strip("input", subject.batch.images.cpu()),
        subject.make_strip(ours, code.after, subject.find_changes(code)),
        subject.make_strip(theirs, pixels.after, subject.find_changes(pixels)),
    )


def compare_surprise(
    subject: LessonSubject, code: MovedPictures, pixels: MovedPictures, titles: tuple[str, str], code_first: bool = True
) -> Answer:
    """Answer after which move bits/dim rise more."""
    a, b = (subject.measure_surprises(moved) for moved in (code, pixels))
    return Answer(
        choose_larger(a, b) if code_first else choose_larger(b, a),
        {"code": format_bits_change(float(a.mean())), "pixels": format_bits_change(float(b.mean()))},
        make_both_strips(subject, code, pixels, titles),
    )


def compare_changes(
    subject: LessonSubject, code: MovedPictures, pixels: MovedPictures, titles: tuple[str, str]
) -> Answer:
    """Answer which move changes the classifier's answer more often."""
    a, b = (subject.find_changes(moved) for moved in (code, pixels))
    numbers = {"code": str(sum(a)), "pixels": str(sum(b)), "count": str(subject.picture_count)}
    return Answer(
        choose_more_often(a, b),
        numbers,
        make_both_strips(subject, code, pixels, titles),
    )


NOISE_TITLES = ("noise on the code", "noise on the pixels")
ATTACK_TITLES = ("attack on the code", "pixel PGD")
MIX_TITLES = ("codes mixed", "pixels mixed")


def answer_surprise(subject: LessonSubject) -> Answer:
    """Answer whether noise on the code or noise on the pixels raises bits/dim more."""
    return compare_surprise(subject, *move_by_equal_noise(subject), NOISE_TITLES)


def answer_changed(subject: LessonSubject) -> Answer:
    """Answer whether noise on the code or noise on the pixels changes the classifier's answer more often."""
    return compare_changes(subject, *move_by_equal_noise(subject), NOISE_TITLES)


def make_ascent(epsilon: float) -> Adversary:
    return Adversary(epsilon=epsilon, steps=ATTACK_STEPS, step_size=ATTACK_STEP_SIZE, start="zero", label="predicted")


def answer_worst(subject: LessonSubject) -> Answer:
    """Answer whether a random direction or the gradient changes the classifier's answer more often."""
    epsilon = ATTACK_RADIUS * subject.measure_code_length("vae")
    code, random = (subject.move_pictures("vae", tool) for tool in (make_ascent(epsilon), Noise(epsilon=epsilon)))
    a, b = subject.find_changes(random), subject.find_changes(code)
    numbers = {"random": str(sum(a)), "code": str(sum(b)), "count": str(subject.picture_count)}
    strips = (
        subject.make_strip("input", subject.batch.images.cpu()),
        subject.make_strip(f"random direction, l2 {random.mean_distance:.2f}", random.after, a),
        subject.make_strip(f"gradient, l2 {code.mean_distance:.2f}", code.after, b),
    )
    return Answer(choose_more_often(a, b), numbers, strips)


def move_by_equal_attacks(subject: LessonSubject) -> tuple[MovedPictures, MovedPictures]:
    """Attack the VAE code, and run pixel PGD in a ball of the distance that the attack reached."""
    code = subject.move_pictures("vae", make_ascent(ATTACK_RADIUS * subject.measure_code_length("vae")))
    return code, subject.move_pictures("pixels", make_ascent(code.mean_distance))


def answer_rival(subject: LessonSubject) -> Answer:
    """Answer which of two attacks changes more answers at the same image distance."""
    return compare_changes(subject, *move_by_equal_attacks(subject), ATTACK_TITLES)


def answer_traces(subject: LessonSubject) -> Answer:
    """Answer which of two attacks leaves the data, so that bits/dim rise more."""
    return compare_surprise(subject, *move_by_equal_attacks(subject), ATTACK_TITLES)


def answer_halfway(subject: LessonSubject) -> Answer:
    """Answer whether mixed pixels or mixed codes raise bits/dim more."""
    mix = Mix(lam=0.5, partner="random", distinct=True)
    code, pixels = (subject.move_pictures(kind, mix) for kind in ("vae", "pixels"))
    answer = compare_surprise(subject, code, pixels, MIX_TITLES, code_first=False)
    return replace(answer, strips=tuple(replace(strip, changed=(False,) * SHOWN_PICTURES) for strip in answer.strips))


def plan_transport(subject: LessonSubject) -> PairingComparison:
    """Make k-mixup's plan in pixels, at half way."""
    session = replace(subject.session, model=subject.find_model("pixels"), seed=0)
    return mixing.pair_sets(subject.workspace, session, TRANSPORT_SET_SIZE, Mix(partner="transport", lam=0.5))


def answer_transport(subject: LessonSubject) -> Answer:
    """Answer how much of the random pairs' squared distance the transport plan leaves."""
    plan = plan_transport(subject)
    left = plan.ours.total / plan.control.total
    seen = 0 if left > 0.9 else 1 if left >= 0.5 else 2
    return Answer(seen, {"left": format_whole_percent(left), "k": str(len(plan.first))}, plan=plan)


def answer_classes(subject: LessonSubject) -> Answer:
    """Answer whether the plan pairs pictures of one class more often than chance does: on many more pairs than are
    shown, and against the share that all pairings have on average.
    """
    everyone = LessonSubject(subject.workspace, subject.session, 2 * CLASS_SET_SIZE).batch
    k = len(everyone) // 2
    flat, classes = everyone.images[: 2 * k].flatten(1).double(), everyone.targets[: 2 * k].argmax(1)
    alike = (classes[:k] == classes[k:][match_points(flat[:k], flat[k:])]).float().cpu()
    chance = float((classes[:k, None] == classes[None, k:]).double().mean())
    share = estimate_share(alike)
    seen = 2 if share.low > chance else 0 if share.high < chance else 1
    numbers = {"ours": str(int(alike.sum())), "random": f"{k * chance:.0f}", "k": str(k)}
    return Answer(seen, numbers, mixes=plan_transport(subject))


def require_biased_classifier(workspace: Workspace) -> str:
    """Return the biased classifier's name, or say how to make it."""
    if BIASED_CLASSIFIER not in workspace.store.list_classifiers("digits"):
        raise UserError(f"This lesson needs the classifier {BIASED_CLASSIFIER}; make it with `{BIASED_FIT_COMMAND}`.")
    return BIASED_CLASSIFIER


def answer_shortcut(subject: LessonSubject) -> Answer:
    """Answer how the biased classifier does on test digits, against the fair one."""
    other, images = require_biased_classifier(subject.workspace), subject.batch.images.cpu()
    pictures, labels = datasets.load_world("digits-biased").train.take_batch(slice(0, ACCURACY_COUNT))
    trained = [s.label == int(label) for s, label in zip(subject.classify_images(pictures, other), labels, strict=True)]
    everyone = LessonSubject(subject.workspace, subject.session, ACCURACY_COUNT)
    right, left = (everyone.mark_correct(everyone.batch.images, name) for name in ("", other))
    fair, theirs = average_flags(right), average_flags(left)
    seen = 0 if theirs > 0.9 * fair else 1 if theirs > 2 / len(subject.session.classes) else 2
    numbers = {"biased": format_share(left), "fair": format_share(right), "trained": format_share(trained)}
    wrong = [
        s.label != int(y)
        for s, y in zip(subject.classify_images(images, other), subject.batch.targets.argmax(1), strict=True)
    ]
    strips = (
        subject.make_strip("training digits of the biased one", pictures, classifier=other),
        subject.make_strip("test digits, as the biased one reads them", images, wrong, other),
    )
    return Answer(seen, numbers, strips)


def answer_styles(subject: LessonSubject) -> Answer:
    """Answer whose label a borrowed style changes more often, the fair or the biased classifier's."""
    other, swap = require_biased_classifier(subject.workspace), METHODS["randmix"].operator
    moved = subject.move_pictures("stylegan2", swap)
    fair, theirs = subject.find_changes(moved), subject.find_changes(moved, other)
    numbers = {"fair": str(sum(fair)), "biased": str(sum(theirs)), "count": str(subject.picture_count)}
    strips = (
        subject.make_strip("rebuilt, before the swap", moved.before),
        subject.make_strip("fine styles borrowed, as the fair one reads them", moved.after, fair),
        subject.make_strip("the same, as the biased one reads them", moved.after, theirs, other),
    )
    return Answer(choose_more_often(fair, theirs), numbers, strips)


def answer_premise(subject: LessonSubject) -> Answer:
    """Answer how many digits in their worst styles the fair classifier still reads."""
    other = require_biased_classifier(subject.workspace)
    moved = subject.move_pictures("stylegan2", METHODS["advmix"].operator, other)
    right, left = (subject.mark_correct(moved.after, name) for name in ("", other))
    fair = average_flags(right)
    numbers = {"fair": f"{format_share(right)} of the digits", "biased": format_share(left)}
    strips = (
        subject.make_strip("rebuilt, before the swap", moved.before),
        subject.make_strip("worst styles, as the fair one reads them", moved.after, subject.find_changes(moved)),
        subject.make_strip(
            "the same, as the biased one reads them", moved.after, subject.find_changes(moved, other), other
        ),
    )
    return Answer(0 if fair >= 0.8 else 1 if fair >= 0.4 else 2, numbers, strips)


EXPERIMENTS: dict[str, Callable[[LessonSubject], Answer]] = {
    "surprise": answer_surprise,
    "changed": answer_changed,
    "worst": answer_worst,
    "rival": answer_rival,
    "traces": answer_traces,
    "halfway": answer_halfway,
    "transport": answer_transport,
    "classes": answer_classes,
    "shortcut": answer_shortcut,
    "styles": answer_styles,
    "premise": answer_premise,
}

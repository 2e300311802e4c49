"""The lessons' questions, answered on the networks at hand: numbers, what they bear out, the pictures behind them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from latentlab import datasets
from latentlab.errors import UserError
from latentlab.operators import METHODS, Adversary, Mix, Noise, calibrate_knob
from latentlab.session import mixing
from latentlab.session.lessons.subjects import SHOWN_PICTURES, LessonSubject, MovedPictures, PictureStrip, average_flags
from latentlab.session.mixing import PairingComparison
from latentlab.session.workspace import Workspace

TRANSPORT_SET_SIZE = 16  # pictures in each set of the transport
ACCURACY_COUNT = 256  # pictures of an accuracy
NOISE_RADIUS, ATTACK_RADIUS = 0.7, 0.18  # of noise and of an attack on the code, times √D: the typical length of a code
ATTACK_STEPS, ATTACK_STEP_SIZE = 5, 0.4
CLEAR_BITS, CLEAR_SHARE = 0.05, 0.05  # less is no clear difference
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


def choose_larger(a: float, b: float, clear: float) -> int:
    """Return 0 where a is clearly larger, 1 where b is, else 2."""
    return 2 if abs(a - b) < clear else 0 if a > b else 1


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
    a, b = (subject.measure_surprise(moved) for moved in (code, pixels))
    seen = choose_larger(a, b, CLEAR_BITS) if code_first else choose_larger(b, a, CLEAR_BITS)
    return Answer(
        seen,
        {"code": format_bits_change(a), "pixels": format_bits_change(b)},
        make_both_strips(subject, code, pixels, titles),
    )


def compare_changes(
    subject: LessonSubject, code: MovedPictures, pixels: MovedPictures, titles: tuple[str, str]
) -> Answer:
    """Answer which move changes the classifier's answer more often."""
    a, b = (subject.find_changes(moved) for moved in (code, pixels))
    numbers = {"code": str(sum(a)), "pixels": str(sum(b)), "count": str(subject.picture_count)}
    return Answer(
        choose_larger(average_flags(a), average_flags(b), CLEAR_SHARE),
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
    return Answer(choose_larger(average_flags(a), average_flags(b), CLEAR_SHARE), numbers, strips)


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
    """Answer whether the plan pairs pictures of one class more often than chance does."""
    plan = plan_transport(subject)
    ours, random = plan.ours.alike, plan.control.alike
    seen = 1 if abs(ours - random) <= 1 else 2 if ours > random else 0
    return Answer(seen, {"ours": str(ours), "random": str(random), "k": str(len(plan.first))}, mixes=plan)


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
    fair, theirs = (everyone.measure_accuracy(everyone.batch.images, name) for name in ("", other))
    seen = 0 if theirs > 0.9 * fair else 1 if theirs > 2 / len(subject.session.classes) else 2
    numbers = {
        "biased": format_whole_percent(theirs),
        "fair": format_whole_percent(fair),
        "trained": format_whole_percent(average_flags(trained)),
    }
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
    return Answer(choose_larger(average_flags(fair), average_flags(theirs), CLEAR_SHARE), numbers, strips)


def answer_premise(subject: LessonSubject) -> Answer:
    """Answer how many digits in their worst styles the fair classifier still reads."""
    other = require_biased_classifier(subject.workspace)
    moved = subject.move_pictures("stylegan2", METHODS["advmix"].operator, other)
    fair, theirs = (subject.measure_accuracy(moved.after, name) for name in ("", other))
    numbers = {"fair": f"{format_whole_percent(fair)} of the digits", "biased": format_whole_percent(theirs)}
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

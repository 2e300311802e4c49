"""What the lessons ask, answered on the networks at hand: the numbers, what they bear out, the pictures behind them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from latentlab import data
from latentlab.errors import UserError
from latentlab.operators import METHODS, Adversary, Mix, Noise, calibrate
from latentlab.session import sets
from latentlab.session.desk import Desk
from latentlab.session.sets import Pairings
from latentlab.session.subject import SHOWN, Moved, Strip, Subject, share

K = 16  # pictures in each set of the transport
MANY = 256  # pictures of an accuracy
RADIUS, BALL = 0.7, 0.18  # of noise and of an attack on the code, times √D: the typical length of a code
STEPS, STEP = 5, 0.4
CLEAR_BITS, CLEAR_SHARE = 0.05, 0.05  # less is no clear difference
BIASED = "digits-resnet-biased"
FIT = "latentlab fit resnet --data digits-biased --out checkpoints/digits-resnet-biased.safetensors --steps 500"


@dataclass(frozen=True, eq=False)
class Answer:
    """Which option the numbers bear out; numbers and units as the texts name them."""

    seen: int
    numbers: Mapping[str, str]
    strips: tuple[Strip, ...] = ()
    plan: Pairings | None = None
    mixes: Pairings | None = None  # a plan of which only the mixed pictures are of interest


def percent(value: float) -> str:
    return f"{100 * value:.0f} %"


def bits(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−")


def larger(a: float, b: float, clear: float) -> int:
    """0 where a is clearly larger, 1 where b is, else 2."""
    return 2 if abs(a - b) < clear else 0 if a > b else 1


def equal_noise(subject: Subject) -> tuple[Moved, Moved]:
    """Noise on the VAE code, and noise on the pixels that goes as far."""
    code = subject.move("vae", Noise(epsilon=RADIUS * subject.size("vae")))
    bench = subject.desk.store.bench(subject.model("pixels"), None, 0)
    grain = calibrate(Noise(epsilon=1.0), "epsilon", code.far, subject.batch, bench)
    return code, subject.move("pixels", grain)


def beside(subject: Subject, code: Moved, pixels: Moved, titles: tuple[str, str]) -> tuple[Strip, ...]:
    """The pictures as they are, and after both moves with their distances."""
    ours, theirs = (f"{title}, l2 {moved.far:.2f}" for title, moved in zip(titles, (code, pixels), strict=True))
    return (
        subject.strip("input", subject.batch.images.cpu()),
        subject.strip(ours, code.after, subject.changed(code)),
        subject.strip(theirs, pixels.after, subject.changed(pixels)),
    )


def surprises(subject: Subject, code: Moved, pixels: Moved, titles: tuple[str, str], code_first: bool = True) -> Answer:
    a, b = (subject.surprise(moved) for moved in (code, pixels))
    seen = larger(a, b, CLEAR_BITS) if code_first else larger(b, a, CLEAR_BITS)
    return Answer(seen, {"code": bits(a), "pixels": bits(b)}, beside(subject, code, pixels, titles))


def changes(subject: Subject, code: Moved, pixels: Moved, titles: tuple[str, str]) -> Answer:
    a, b = (subject.changed(moved) for moved in (code, pixels))
    numbers = {"code": str(sum(a)), "pixels": str(sum(b)), "count": str(subject.count)}
    return Answer(larger(share(a), share(b), CLEAR_SHARE), numbers, beside(subject, code, pixels, titles))


NOISES = ("noise on the code", "noise on the pixels")
ATTACKS = ("attack on the code", "pixel PGD")
MIXES = ("codes mixed", "pixels mixed")


def surprise(subject: Subject) -> Answer:
    return surprises(subject, *equal_noise(subject), NOISES)


def changed(subject: Subject) -> Answer:
    return changes(subject, *equal_noise(subject), NOISES)


def ascent(epsilon: float) -> Adversary:
    return Adversary(epsilon=epsilon, steps=STEPS, step_size=STEP, start="zero", label="predicted")


def worst(subject: Subject) -> Answer:
    epsilon = BALL * subject.size("vae")
    code, random = (subject.move("vae", tool) for tool in (ascent(epsilon), Noise(epsilon=epsilon)))
    a, b = subject.changed(random), subject.changed(code)
    numbers = {"random": str(sum(a)), "code": str(sum(b)), "count": str(subject.count)}
    strips = (
        subject.strip("input", subject.batch.images.cpu()),
        subject.strip(f"random direction, l2 {random.far:.2f}", random.after, a),
        subject.strip(f"gradient, l2 {code.far:.2f}", code.after, b),
    )
    return Answer(larger(share(a), share(b), CLEAR_SHARE), numbers, strips)


def equal_attacks(subject: Subject) -> tuple[Moved, Moved]:
    """The attack on the VAE code, and pixel PGD in a ball of the distance that it reached."""
    code = subject.move("vae", ascent(BALL * subject.size("vae")))
    return code, subject.move("pixels", ascent(code.far))


def rival(subject: Subject) -> Answer:
    return changes(subject, *equal_attacks(subject), ATTACKS)


def traces(subject: Subject) -> Answer:
    return surprises(subject, *equal_attacks(subject), ATTACKS)


def halfway(subject: Subject) -> Answer:
    mix = Mix(lam=0.5, partner="random", distinct=True)
    code, pixels = (subject.move(kind, mix) for kind in ("vae", "pixels"))
    answer = surprises(subject, code, pixels, MIXES, code_first=False)
    return replace(answer, strips=tuple(replace(strip, changed=(False,) * SHOWN) for strip in answer.strips))


def planned(subject: Subject) -> Pairings:
    """k-mixup's plan in pixels, at half way."""
    session = replace(subject.session, model=subject.model("pixels"), seed=0)
    return sets.pair(subject.desk, session, K, Mix(partner="transport", lam=0.5))


def transport(subject: Subject) -> Answer:
    plan = planned(subject)
    left = plan.ours.total / plan.control.total
    seen = 0 if left > 0.9 else 1 if left >= 0.5 else 2
    return Answer(seen, {"left": percent(left), "k": str(len(plan.first))}, plan=plan)


def classes(subject: Subject) -> Answer:
    plan = planned(subject)
    ours, random = plan.ours.alike, plan.control.alike
    seen = 1 if abs(ours - random) <= 1 else 2 if ours > random else 0
    return Answer(seen, {"ours": str(ours), "random": str(random), "k": str(len(plan.first))}, mixes=plan)


def biased(desk: Desk) -> str:
    if BIASED not in desk.store.classifiers("digits"):
        raise UserError(f"This lesson needs the classifier {BIASED}; make it with `{FIT}`.")
    return BIASED


def shortcut(subject: Subject) -> Answer:
    other, images = biased(subject.desk), subject.batch.images.cpu()
    pictures, labels = data.load("digits-biased").train.batch(slice(0, MANY))
    trained = [s.label == int(label) for s, label in zip(subject.labels(pictures, other), labels, strict=True)]
    everyone = Subject(subject.desk, subject.session, MANY)
    fair, theirs = (everyone.right(everyone.batch.images, name) for name in ("", other))
    seen = 0 if theirs > 0.9 * fair else 1 if theirs > 2 / len(subject.session.classes) else 2
    numbers = {"biased": percent(theirs), "fair": percent(fair), "trained": percent(share(trained))}
    wrong = [
        s.label != int(y) for s, y in zip(subject.labels(images, other), subject.batch.targets.argmax(1), strict=True)
    ]
    strips = (
        subject.strip("training digits of the biased one", pictures, classifier=other),
        subject.strip("test digits, as the biased one reads them", images, wrong, other),
    )
    return Answer(seen, numbers, strips)


def styles(subject: Subject) -> Answer:
    other, swap = biased(subject.desk), METHODS["randmix"].operator
    moved = subject.move("stylegan2", swap)
    fair, theirs = subject.changed(moved), subject.changed(moved, other)
    numbers = {"fair": str(sum(fair)), "biased": str(sum(theirs)), "count": str(subject.count)}
    strips = (
        subject.strip("rebuilt, before the swap", moved.before),
        subject.strip("fine styles borrowed, as the fair one reads them", moved.after, fair),
        subject.strip("the same, as the biased one reads them", moved.after, theirs, other),
    )
    return Answer(larger(share(fair), share(theirs), CLEAR_SHARE), numbers, strips)


def premise(subject: Subject) -> Answer:
    other = biased(subject.desk)
    moved = subject.move("stylegan2", METHODS["advmix"].operator, other)
    fair, theirs = (subject.right(moved.after, name) for name in ("", other))
    numbers = {"fair": f"{percent(fair)} of the digits", "biased": percent(theirs)}
    strips = (
        subject.strip("rebuilt, before the swap", moved.before),
        subject.strip("worst styles, as the fair one reads them", moved.after, subject.changed(moved)),
        subject.strip("the same, as the biased one reads them", moved.after, subject.changed(moved, other), other),
    )
    return Answer(0 if fair >= 0.8 else 1 if fair >= 0.4 else 2, numbers, strips)


ANSWERS: dict[str, Callable[[Subject], Answer]] = {
    "surprise": surprise,
    "changed": changed,
    "worst": worst,
    "rival": rival,
    "traces": traces,
    "halfway": halfway,
    "transport": transport,
    "classes": classes,
    "shortcut": shortcut,
    "styles": styles,
    "premise": premise,
}

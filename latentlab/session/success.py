"""How often an attack succeeds, against its radius, over many images; pixel PGD at the same mean distance beside it."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool
from torch import Tensor
from torch.nn.functional import one_hot

from latentlab.errors import UserError
from latentlab.knobs import Knob, Setting
from latentlab.operators import Adversary, distance
from latentlab.operators.scoring import logits_of
from latentlab.session.attack import attacked, independent, pixel_control
from latentlab.session.desk import Desk, levels
from latentlab.session.state import Session, Source
from latentlab.session.verbs import on_device
from latentlab.types import Batch, Bench, Images, Labels

COUNT = Setting("images", int, 32, Knob("attacked at each radius", 4, 512))
SHARES = (0.0, 0.125, 0.25, 0.5, 1.0, 2.0)  # of the attack's radius
CHUNK = 8  # images at a time: a stop waits for one chunk at most


@dataclass(frozen=True)
class Rate:
    """One point of a curve. Of `count` images `hits` were won; of `agreed`, on which the independent classifier had
    seen the same label as the attacked, it still sees it in `kept`."""

    epsilon: float
    distance: float  # mean over the images, from the clean path
    hits: int
    count: int
    kept: int = 0
    agreed: int = 0


@dataclass(frozen=True)
class Success:
    """The curves so far."""

    tool: Adversary
    images: str  # which they are
    classifier: str
    independent: str | None
    ours: tuple[Rate, ...] = ()
    pixels: tuple[Rate, ...] = ()
    done: int = 0  # images, over all points and both curves
    total: int = 0


@dataclass(frozen=True, eq=False)
class _Trial:
    """Images with what was known of them before any attack."""

    batch: Batch
    goal: Labels  # to leave, or to reach if the attack is aimed
    label: Labels  # that a harmless picture keeps
    counted: Bool[Tensor, " B"]  # the attack has something to win
    agreed: Bool[Tensor, " B"]  # the independent classifier sees the label, too


def wilson(hits: int, count: int) -> tuple[float, float]:
    """95 % confidence interval of a share (Wilson 1927)."""
    from scipy.stats import binomtest

    interval = binomtest(hits, count).proportion_ci(0.95, method="wilson")
    return float(interval.low), float(interval.high)


def success(desk: Desk, session: Session, tool: Adversary, count: int) -> Iterator[Success]:
    """Both curves as they grow; every radius draws the same random numbers."""
    attacked(session)
    pictures, labels, told = _pictures(desk, session, tool, count)
    trials = [_trial(desk, session, tool, *chunk) for chunk in _chunks(pictures, labels)]
    if not any(bool(trial.counted.any()) for trial in trials):
        raise UserError(f"Of {told} none has a label that this attack could take away; choose other images.")
    total = 2 * len(SHARES) * len(pictures)
    state = Success(tool, told, session.classifier, independent(desk, session), total=total)
    for share in SHARES:
        own = replace(tool, epsilon=min(tool.epsilon * share, 100.0))
        rate = yield from _rated(desk, session, own, session.model, state, trials)
        state = replace(state, ours=(*state.ours, rate), done=state.done + len(pictures))
        beside = replace(pixel_control(min(rate.distance, 100.0)), label=tool.label, target=tool.target)
        rate = yield from _rated(desk, session, beside, f"{session.world}-pixels", state, trials)
        state = replace(state, pixels=(*state.pixels, rate), done=state.done + len(pictures))
    yield state


def _rated(
    desk: Desk, session: Session, tool: Adversary, model: str, state: Success, trials: list[_Trial]
) -> Generator[Success, None, Rate]:
    """The rate over all images; on the way how far it is, chunk by chunk."""
    bench = desk.store.bench(model, session.classifier, session.seed)
    sums, done = torch.zeros(5, dtype=torch.float64), state.done
    for trial in trials:
        yield replace(state, done=done)
        sums += _counts(desk, tool, bench, model, state.independent, trial)
        done += len(trial.batch)
    far, hits, count, kept, agreed = sums.tolist()
    return Rate(tool.epsilon, far / count, int(hits), int(count), int(kept), int(agreed))


@torch.no_grad()
def _counts(desk: Desk, tool: Adversary, bench: Bench, model: str, other: str | None, trial: _Trial) -> Tensor:
    """Sum of distances, hits, images counted, labels kept, images on which both classifiers agreed before."""
    pictures = trial.batch.images.cpu()
    codes = desk.latents(model, pictures)
    shown = desk.decode(model, tool.move(codes, trial.batch, bench)[0])
    far = distance(shown, desk.rebuilt(model, pictures).image)
    seen = logits_of(bench, shown.to(desk.store.device)).argmax(1).cpu()
    won = seen == trial.goal if tool.label == "target" else seen != trial.goal
    own, agreed = trial.counted, trial.counted & trial.agreed
    kept = agreed & (_seen(desk, other, shown) == trial.label) if other else agreed & False
    sums = [far[own].sum(), (won & own).sum(), own.sum(), kept.sum(), agreed.sum()]
    return torch.stack([value.double() for value in sums])


def _trial(desk: Desk, session: Session, tool: Adversary, pictures: Images, labels: Labels | None) -> _Trial:
    seen = _seen(desk, session.classifier, pictures)
    label = seen if labels is None else labels
    aimed = tool.label == "target"
    goal = torch.full_like(seen, tool.target) if aimed else label
    other = independent(desk, session)
    agreed = _seen(desk, other, pictures) == label if other else torch.zeros_like(seen, dtype=torch.bool)
    batch = on_device(desk, Batch(pictures, one_hot(label, len(session.classes)).float()))
    return _Trial(batch, goal, label, seen != goal if aimed else seen == goal, agreed)


@torch.no_grad()
def _seen(desk: Desk, classifier: str, pictures: Images) -> Labels:
    return desk.store.load(classifier)(pictures.to(desk.store.device)).argmax(1).cpu()


def _chunks(pictures: Images, labels: Labels | None) -> Iterator[tuple[Images, Labels | None]]:
    for start in range(0, len(pictures), CHUNK):
        rows = slice(start, start + CHUNK)
        yield pictures[rows], None if labels is None else labels[rows]


def _pictures(desk: Desk, session: Session, tool: Adversary, count: int) -> tuple[Images, Labels | None, str]:
    """The chosen images, else the first test images, else samples; their true classes if the attack asks for them."""
    source, rows, told = _rows(desk, session, COUNT.check(count))
    pictures, given = desk.rows(session.world, source, rows)
    if tool.label != "true":
        return levels(pictures), None, told
    if given is None:
        return levels(pictures), None, f"{told}; they have no true label, the predicted one stands in"
    return levels(pictures), _true(desk, session, given), told


def _rows(desk: Desk, session: Session, count: int) -> tuple[Source, Sequence[int], str]:
    chosen = session.selection
    if chosen.rows:
        rows = chosen.rows[:count]
        return chosen.source, rows, f"{len(rows)} of the {len(chosen.rows)} selected images"
    try:
        rows = range(min(count, len(desk.dataset(session.world).test)))
    except UserError:
        return "drawn", range(count), f"{count} samples of the prior (the data of {session.world} are not here)"
    return "test", rows, f"the first {len(rows)} test images of {session.world}"


def _true(desk: Desk, session: Session, given: Tensor) -> Labels:
    """The data set's labels as numbers of the classifier's classes."""
    names = desk.dataset(session.world).classes
    if given.ndim == 2:  # attributes: the classifier asks for one of them, yes or no
        return given[:, names.index(session.classes[1])].long()
    missing = [name for name in names if name not in session.classes]
    if missing:
        raise UserError(f"The classifier has no class {missing[0]!r} of the data; let the attack leave the predicted.")
    return torch.tensor([session.classes.index(name) for name in names])[given.long()]

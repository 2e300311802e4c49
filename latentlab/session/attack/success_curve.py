"""The success of an attack against its radius, over many images; pixel PGD at the same mean distance beside it."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool
from torch import Tensor
from torch.nn.functional import one_hot

from latentlab.errors import UserError
from latentlab.images import round_levels
from latentlab.knobs import Knob, Setting
from latentlab.operators import Adversary, measure_distance
from latentlab.operators.classification import compute_logits
from latentlab.session.actions import put_batch_on_device
from latentlab.session.attack.trace import choose_witness, make_pixel_control, require_attacked_classifier
from latentlab.session.state import PictureSource, Session
from latentlab.session.workspace import Workspace
from latentlab.types import Batch, Bench, Images, Labels

ATTACK_COUNT = Setting("images", int, 32, Knob("attacked at each radius", 4, 512))
RADIUS_SHARES = (0.0, 0.125, 0.25, 0.5, 1.0, 2.0)  # of the attack's radius
ATTACK_CHUNK = 8  # images at a time: a stop waits for one chunk at most


@dataclass(frozen=True)
class SuccessRate:
    """One point of a curve. Of `count` images `hits` were won; of `agreed`, on which the independent classifier had
    seen the same label as the attacked, it still sees it in `kept`."""

    epsilon: float
    distance: float  # mean over the images, from the clean path
    hits: int
    count: int
    kept: int = 0
    agreed: int = 0


@dataclass(frozen=True)
class SuccessCurves:
    """The two curves as far as they are measured."""

    tool: Adversary
    images: str  # which they are
    classifier: str
    independent: str | None
    ours: tuple[SuccessRate, ...] = ()
    pixels: tuple[SuccessRate, ...] = ()
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


def compute_wilson_interval(hits: int, count: int) -> tuple[float, float]:
    """Return the 95 % confidence interval of a share (Wilson 1927)."""
    from scipy.stats import binomtest

    interval = binomtest(hits, count).proportion_ci(0.95, method="wilson")
    return float(interval.low), float(interval.high)


def measure_success(workspace: Workspace, session: Session, tool: Adversary, count: int) -> Iterator[SuccessCurves]:
    """Yield both curves as they grow; every radius draws the same random numbers."""
    require_attacked_classifier(session)
    pictures, labels, told = _load_pictures(workspace, session, tool, count)
    trials = [_prepare_trial(workspace, session, tool, *chunk) for chunk in _split_chunks(pictures, labels)]
    if not any(bool(trial.counted.any()) for trial in trials):
        raise UserError(f"Of {told} none has a label that this attack could take away; choose other images.")
    total = 2 * len(RADIUS_SHARES) * len(pictures)
    state = SuccessCurves(tool, told, session.classifier, choose_witness(workspace, session), total=total)
    for share in RADIUS_SHARES:
        own = replace(tool, epsilon=min(tool.epsilon * share, 100.0))
        rate = yield from _measure_rate(workspace, session, own, session.model, state, trials)
        state = replace(state, ours=(*state.ours, rate), done=state.done + len(pictures))
        beside = make_pixel_control(tool, rate.distance)
        rate = yield from _measure_rate(workspace, session, beside, f"{session.world}-pixels", state, trials)
        state = replace(state, pixels=(*state.pixels, rate), done=state.done + len(pictures))
    yield state


def _measure_rate(
    workspace: Workspace, session: Session, tool: Adversary, model: str, state: SuccessCurves, trials: list[_Trial]
) -> Generator[SuccessCurves, None, SuccessRate]:
    """Return the rate over all images; on the way yield how far it is, chunk by chunk."""
    bench = workspace.store.bench(model, session.classifier, session.seed)
    sums, done = torch.zeros(5, dtype=torch.float64), state.done
    for trial in trials:
        yield replace(state, done=done)
        sums += _count_outcomes(workspace, tool, bench, model, state.independent, trial)
        done += len(trial.batch)
    far, hits, count, kept, agreed = sums.tolist()
    return SuccessRate(tool.epsilon, far / count, int(hits), int(count), int(kept), int(agreed))


@torch.no_grad()
def _count_outcomes(
    workspace: Workspace, tool: Adversary, bench: Bench, model: str, other: str | None, trial: _Trial
) -> Tensor:
    """Return the sums of distances, hits, images counted, labels kept, images both classifiers agreed on before."""
    pictures = trial.batch.images.cpu()
    codes = workspace.encode_pictures(model, pictures)
    shown = workspace.decode_latents(model, tool.move(codes, trial.batch, bench)[0])
    far = measure_distance(shown, workspace.rebuild_pictures(model, pictures).image)
    seen = compute_logits(bench, shown.to(workspace.store.device)).argmax(1).cpu()
    won = seen == trial.goal if tool.label == "target" else seen != trial.goal
    own, agreed = trial.counted, trial.counted & trial.agreed
    kept = agreed & (_predict_labels(workspace, other, shown) == trial.label) if other else agreed & False
    sums = [far[own].sum(), (won & own).sum(), own.sum(), kept.sum(), agreed.sum()]
    return torch.stack([value.double() for value in sums])


def _prepare_trial(
    workspace: Workspace, session: Session, tool: Adversary, pictures: Images, labels: Labels | None
) -> _Trial:
    """Gather what is known of the images before any attack."""
    seen = _predict_labels(workspace, session.classifier, pictures)
    label = seen if labels is None else labels
    aimed = tool.label == "target"
    goal = torch.full_like(seen, tool.target) if aimed else label
    other = choose_witness(workspace, session)
    agreed = _predict_labels(workspace, other, pictures) == label if other else torch.zeros_like(seen, dtype=torch.bool)
    batch = put_batch_on_device(workspace, Batch(pictures, one_hot(label, len(session.classes)).float()))
    return _Trial(batch, goal, label, seen != goal if aimed else seen == goal, agreed)


@torch.no_grad()
def _predict_labels(workspace: Workspace, classifier: str, pictures: Images) -> Labels:
    return workspace.store.load(classifier)(pictures.to(workspace.store.device)).argmax(1).cpu()


def _split_chunks(pictures: Images, labels: Labels | None) -> Iterator[tuple[Images, Labels | None]]:
    for start in range(0, len(pictures), ATTACK_CHUNK):
        rows = slice(start, start + ATTACK_CHUNK)
        yield pictures[rows], None if labels is None else labels[rows]


def _load_pictures(
    workspace: Workspace, session: Session, tool: Adversary, count: int
) -> tuple[Images, Labels | None, str]:
    """Return the chosen images, else the first test images, else samples.

    Their true classes come along if the attack asks for them, and a line that says which images they are.
    """
    source, rows, told = _choose_rows(workspace, session, ATTACK_COUNT.check_value(count))
    pictures, given = workspace.load_rows(session.world, source, rows)
    if tool.label != "true":
        return round_levels(pictures), None, told
    if given is None:
        return round_levels(pictures), None, f"{told}; they have no true label, the predicted one stands in"
    return round_levels(pictures), _number_labels(workspace, session, given), told


def _choose_rows(workspace: Workspace, session: Session, count: int) -> tuple[PictureSource, Sequence[int], str]:
    """Return where the images come from, their rows, and a line that says which they are."""
    chosen = session.selection
    if chosen.rows:
        rows = chosen.rows[:count]
        return chosen.source, rows, f"{len(rows)} of the {len(chosen.rows)} selected images"
    try:
        rows = range(min(count, len(workspace.load_dataset(session.world).test)))
    except UserError:
        return "drawn", range(count), f"{count} samples of the prior (the data of {session.world} are not here)"
    return "test", rows, f"the first {len(rows)} test images of {session.world}"


def _number_labels(workspace: Workspace, session: Session, given: Tensor) -> Labels:
    """Return the data set's labels as numbers of the classifier's classes."""
    names = workspace.load_dataset(session.world).classes
    if given.ndim == 2:  # attributes: the classifier asks for one of them, yes or no
        return given[:, names.index(session.classes[1])].long()
    missing = [name for name in names if name not in session.classes]
    if missing:
        raise UserError(f"The classifier has no class {missing[0]!r} of the data; let the attack leave the predicted.")
    return torch.tensor([session.classes.index(name) for name in names])[given.long()]

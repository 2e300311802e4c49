"""Many pictures mixed: two sets along a pairing, with random pairs beside it; and the grid of contents and styles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import one_hot

from latentlab.errors import UserError
from latentlab.knobs import Knob, Setting
from latentlab.operators import Mix, Move, match
from latentlab.operators.partners import hardest, shuffled
from latentlab.session.desk import TEMPERATURE, Desk
from latentlab.session.state import Found, Session, Source
from latentlab.session.verbs import act, look, stacked, true_class
from latentlab.types import Bench, Images, Labels, Latents, Targets

K = Setting("k", int, 8, Knob("pictures in each set", 1, 16))
SIDE = Setting("pictures", int, 5, Knob("each is a row and a column of the grid", 2, 8))


@dataclass(frozen=True)
class Sight:
    """What the classifier sees in one picture, and how surely."""

    label: int
    probability: float


@dataclass(frozen=True, eq=False)
class Pairing:
    """Each picture of the first set with one of the second, and what the mix makes of them."""

    how: str  # transport, hardest or random
    partner: tuple[int, ...]  # place in the second set
    total: float  # sum of the squared distances
    alike: int  # pairs of one class
    images: Images
    labels: Targets
    seen: tuple[Sight, ...]  # none without a classifier


@dataclass(frozen=True, eq=False)
class Pairings:
    """Two sets, the squared latent distance of every pair, one pairing and random pairs of the same pictures."""

    first: tuple[Found, ...]
    second: tuple[Found, ...]
    origin: str
    unit: str  # of the costs; empty for intensities
    costs: Float[Tensor, "k k"]
    lam: float
    ours: Pairing
    control: Pairing


@dataclass(frozen=True, eq=False)
class Grid:
    """Row after row: the content of the row's picture with the style of the column's."""

    pictures: tuple[Found, ...]
    origin: str
    images: Images
    own: tuple[int, ...]  # class of each row's picture
    seen: tuple[Sight, ...]  # none without a classifier


def two_sets(desk: Desk, session: Session, k: int) -> tuple[tuple[Found, ...], tuple[Found, ...], str]:
    """The selection and its second set; else the selection in halves; else the first of the world. Equally many."""
    held = session.selection
    if held.rows and held.others:
        k = min(k, len(held.rows), len(held.others))
        return (
            _found(desk, session, held.source, held.rows[:k]),
            _found(desk, session, held.source, held.others[:k]),
            f"{k} of each of the two selections",
        )
    pictures, origin = in_hand(desk, session, 2 * k)
    k = len(pictures) // 2
    return pictures[:k], pictures[k : 2 * k], origin


def in_hand(desk: Desk, session: Session, count: int) -> tuple[tuple[Found, ...], str]:
    """So many pictures, and where they come from: the selection, else the first test images, else samples."""
    held = session.selection
    if len(held.rows) > 1:
        rows = held.rows[:count]
        return _found(desk, session, held.source, rows), f"{len(rows)} pictures of the selection"
    if has_data(desk, session.world):
        rows = range(min(count, len(desk.dataset(session.world).test)))
        return _found(desk, session, "test", rows), f"the first {len(rows)} test images of {session.world}"
    return _found(desk, session, "drawn", range(count)), f"{count} samples: the data of {session.world} are not here"


def has_data(desk: Desk, world: str) -> bool:
    try:
        desk.dataset(world)
    except UserError:
        return False
    return True


def _found(desk: Desk, session: Session, source: Source, rows: Sequence[int]) -> tuple[Found, ...]:
    if source == "drawn":
        model = desk.drawing_model(session.world)
        return tuple(desk.draw(model, seed, TEMPERATURE.default) for seed in rows)
    return tuple(desk.row(session.world, row, source) for row in rows)


@torch.no_grad()
def pair(desk: Desk, session: Session, k: int, tool: Mix) -> Pairings:
    """Two sets paired as the tool says and at random, each pair mixed by the same λ."""
    first, second, origin = two_sets(desk, session, K.check(k))
    codes = _codes(desk, session, [*first, *second])
    targets = targets_of(desk, session, [*first, *second]).to(desk.store.device)
    bench = desk.store.bench(session.model, session.classifier or None, session.seed)
    count, lam = len(first), tool.share(bench.rng)
    random = shuffled(count, bench.rng)
    chosen = codes.flat * codes.mask(tool.parts)
    costs = torch.cdist(chosen[:count].double(), chosen[count:].double()).square().float().cpu()

    def mixed(partner: Labels) -> tuple[Latents, Targets]:
        everyone = torch.cat([count + partner, torch.arange(count, 2 * count)])
        moved, labels = tool.toward(everyone, lam, codes, targets)
        return moved[:count], labels[:count]

    def pairing(how: str, partner: Labels) -> Pairing:
        moved, labels = mixed(partner)
        images = desk.decode(session.model, moved)
        total = float(costs[torch.arange(count), partner].sum())
        alike = int((targets[:count].argmax(1) == targets[count:][partner].argmax(1)).sum())
        sights = seen(desk, session, images)
        return Pairing(how, tuple(partner.tolist()), total, alike, images, labels.cpu(), sights)

    ours = _partner(tool, chosen[:count], chosen[count:], mixed, bench)
    unit = "" if desk.store.card(session.model).kind == "pixels" else "σ²"
    return Pairings(first, second, origin, unit, costs, lam, pairing(tool.partner, ours), pairing("random", random))


def _partner(tool: Mix, a: Tensor, b: Tensor, mixed, bench: Bench) -> Labels:
    if tool.partner == "hardest":
        return hardest(len(a), tool.candidates, mixed, bench)
    if tool.partner != "transport":
        raise UserError(f"Two sets are paired by transport or by the hardest partner, not by {tool.partner}.")
    return match(a, b)


@torch.no_grad()
def grid(desk: Desk, session: Session, side: int, parts: tuple[str, ...]) -> Grid:
    """Every picture's content with every picture's style; on the diagonal each is its own rebuilding."""
    pictures, origin = in_hand(desk, session, SIDE.check(side))
    codes, count = _codes(desk, session, pictures), len(pictures)
    rows, columns = torch.arange(count).repeat_interleave(count), torch.arange(count).repeat(count)
    images = desk.decode(session.model, codes[rows].swap(codes[columns], codes.named(parts)))
    own = tuple(true_class(desk, session, picture) for picture in pictures)
    return Grid(pictures, origin, images, own, seen(desk, session, images))


def take(desk: Desk, session: Session, names: Sequence[str], tool: Move) -> Session:
    """The pictures of these names as input and, if there is a second, partner; and the tool on them."""
    found = [desk.named(session.world, name) for name in names[:2]]
    fresh = replace(session, source=found[0], partner=found[-1] if len(found) > 1 else session.partner)
    fresh = replace(fresh, photo=None, refined=frozenset(), refining=None, notice="")
    return act(desk, look(desk, fresh), tool)


@torch.no_grad()
def seen(desk: Desk, session: Session, images: Images) -> tuple[Sight, ...]:
    """The classifier on many pictures at once; nothing where the world has none."""
    if not session.classifier:
        return ()
    sure, labels = desk.store.load(session.classifier)(images.to(desk.store.device)).softmax(1).max(1)
    return tuple(Sight(*both) for both in zip(labels.tolist(), sure.tolist(), strict=True))


def _codes(desk: Desk, session: Session, pictures: Sequence[Found]) -> Latents:
    return stacked([desk.latents(session.model, picture.image) for picture in pictures])


def targets_of(desk: Desk, session: Session, pictures: Sequence[Found]) -> Targets:
    numbers = torch.tensor([true_class(desk, session, picture) for picture in pictures])
    return one_hot(numbers, max(len(session.classes), 1)).float()

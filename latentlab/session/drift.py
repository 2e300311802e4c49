"""Where moved images land among the real ones: arrows, paths, transport plans; how far off the manifold it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import one_hot

from latentlab import spaces
from latentlab.chance import permutation, seeded
from latentlab.errors import UserError
from latentlab.operators import Move, match
from latentlab.projections import nearest
from latentlab.session.atlas import Atlas, Ground, Plan
from latentlab.session.path import path_of
from latentlab.session.shades import true_numbers
from latentlab.session.state import Session
from latentlab.session.verbs import clean, on_device, strip
from latentlab.types import Batch, Flat, Images

MOVED = 64  # images that are moved at once
SAMPLED = 24  # of the first of the map, where nothing is selected


@dataclass(frozen=True, eq=False)
class Line:
    """A way through the space: its points in order, what each of them is, how far it is from the nearest real one."""

    name: str
    points: Flat
    images: Images
    words: tuple[str, ...]
    near: Float[Tensor, " P"]


@dataclass(frozen=True, eq=False)
class Drift:
    """A move of many images: from where to where, what became of them, and the distances to the nearest real points.

    `rebuilt` is the mean distance of the pictures that the model gives back without any move: what is not the move's
    doing. Bits per dimension are a pair of lists, before and after, or None where nobody asked.
    """

    tool: Move
    rows: tuple[int, ...]
    starts: Flat
    ends: Flat
    images: Images
    before: Float[Tensor, " M"]
    near: Float[Tensor, " M"]
    rebuilt: float
    bits: tuple[tuple[float, ...], tuple[float, ...]] | None = None


@dataclass(frozen=True, eq=False)
class Pairs:
    """Two sets matched by optimal transport in the map's space, and at random: rows, partners, mean squares apart."""

    rows: tuple[int, ...]
    others: tuple[int, ...]
    transport: Int[Tensor, " M"]
    random: Int[Tensor, " M"]
    costs: tuple[float, float]


def chosen(session: Session, plan: Plan) -> tuple[int, ...]:
    """The rows of the selection that are on the map; where nothing is selected, the first ones."""
    held = session.selection
    rows = held.rows if held.source == plan.source else ()
    return tuple(row for row in rows if row < plan.count) or tuple(range(min(SAMPLED, plan.count)))


def moves(atlas: Atlas, session: Session, plan: Plan, ground: Ground, bits: bool = False) -> Drift:
    """The session's move on the selection; the moved images are placed as all others are, by their pixels."""
    desk, tool = atlas.desk, session.result.tool
    if plan.world != session.world:
        raise UserError(f"The map shows {plan.world}; wait until it shows {session.world}.")
    rows = spread(chosen(session, plan), MOVED)
    images, labels = atlas.images(plan, rows)
    batch = on_device(desk, Batch(images, targets(atlas, session, images, labels)))
    codes = desk.latents(session.model, images)
    bench = desk.store.bench(session.model, session.classifier or None, session.seed)
    latents, _ = tool.move(codes, batch, bench)
    moved = desk.decode(session.model, latents)
    ends, back = placed(atlas, plan, moved), placed(atlas, plan, desk.decode(session.model, codes))
    starts = ground.points[list(rows)]
    flow = desk.density(session.world) if bits else None
    surprise = None if flow is None else (tuple(desk.bits(flow, images)), tuple(desk.bits(flow, moved)))
    return Drift(
        tool,
        rows,
        starts,
        ends,
        moved,
        nearest(starts, ground.points, 2).distances[:, 1],
        nearest(ends, ground.points).distances[:, 0],
        float(nearest(back, ground.points).distances.mean()),
        surprise,
    )


def targets(atlas: Atlas, session: Session, images: Images, labels: Tensor | None) -> Tensor:
    """True classes where there are some, else those that the classifier sees."""
    if not session.classifier:
        return torch.ones(len(images), 1)
    if labels is not None:
        numbers = true_numbers(atlas, session.world, session.classifier, labels)
    else:
        with torch.no_grad():
            network = atlas.desk.store.load(session.classifier)
            numbers = network(images.to(atlas.desk.store.device)).argmax(1).cpu()
    return one_hot(numbers, len(session.classes)).float()


def placed(atlas: Atlas, plan: Plan, images: Images) -> Flat:
    """Images as points of the map's space."""
    return spaces.points(atlas.desk.store.load(plan.space), images.to(atlas.desk.store.device))


def paths(atlas: Atlas, session: Session, plan: Plan, ground: Ground) -> list[Line]:
    """The last attack step by step with its control; else the path that the session's move lies on."""
    if session.track is not None:
        ours, control = session.track
        named = [("attack", ours)] + ([("pixel PGD", control)] if control is not None else [])
        return [
            line(atlas, plan, ground, name, [step.image for step in track.steps], steps(len(track.steps)))
            for name, track in named
        ]
    path = path_of(session.result.tool)
    if path is None:
        raise UserError("This move has no path; choose a direction, noise, a mix, or run an attack.")
    results = strip(atlas.desk, session, [path.at(mark) for mark in path.marks])
    words = [f"{path.kind} {mark:g}" for mark in path.marks]
    return [line(atlas, plan, ground, "path", [done.image for done in results], words)]


def steps(count: int) -> list[str]:
    return ["no move", "start", *(f"step {k}" for k in range(1, count))][:count]


def line(atlas: Atlas, plan: Plan, ground: Ground, name: str, images: Sequence[Images], words: Sequence[str]) -> Line:
    whole = torch.cat(list(images))
    points = placed(atlas, plan, whole)
    return Line(name, points, whole, tuple(words), nearest(points, ground.points).distances[:, 0])


def here(atlas: Atlas, session: Session, plan: Plan, ground: Ground) -> Line:
    """The workbench's picture, what the model gives back of it, and its result."""
    images = [session.source.image, clean(atlas.desk, session).image, session.result.image]
    return line(atlas, plan, ground, "workbench", images, ("input", "rebuilt", "result"))


def pairs(session: Session, plan: Plan, ground: Ground) -> Pairs:
    """The two sets in hand, equally many of each, matched as k-mixup does and as mixup does."""
    held = session.selection
    first, second = ([row for row in rows if row < plan.count] for rows in (held.rows, held.others))
    if held.source != plan.source or not first or not second:
        raise UserError("Pairs need two sets: lasso one, then choose “second set” and lasso the other.")
    count = min(len(first), len(second), MOVED)
    rows, others = spread(first, count), spread(second, count)
    a, b = ground.points[list(rows)], ground.points[list(others)]
    transport, random = match(a, b), permutation(count, seeded(session.seed))
    costs = tuple(float((a - b[order]).square().sum(1).mean()) for order in (transport, random))
    return Pairs(rows, others, transport, random, (costs[0], costs[1]))


def spread(rows: Sequence[int], most: int) -> tuple[int, ...]:
    """All of them, or an even choice of so many."""
    if len(rows) <= most:
        return tuple(rows)
    return tuple(rows[round(place * (len(rows) - 1) / (most - 1))] for place in range(most)) if most > 1 else (rows[0],)


def lassoed(session: Session, plan: Plan, rows: Sequence[int], second: bool) -> Session:
    """These rows of the map as the selection, or as the set against it; the other set stays where it can."""
    if any(not 0 <= row < plan.count for row in rows):
        raise UserError(f"The map shows rows 0 to {plan.count - 1}; choose among them.")
    held = session.selection
    if held.source != plan.source:
        held = replace(held, source=plan.source, rows=(), others=())
    now = tuple(sorted(set(rows)))
    held = replace(held, others=now) if second else replace(held, rows=now)
    return replace(session, selection=held, notice="")

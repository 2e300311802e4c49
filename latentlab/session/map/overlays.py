"""Moved images among the real ones: arrows, paths, transport plans, and how far off the manifold a move leads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import one_hot

from latentlab import embeddings
from latentlab.chance import draw_permutation, make_generator
from latentlab.errors import UserError
from latentlab.operators import LatentOperator, match_points
from latentlab.projections import NearestPoints, find_nearest
from latentlab.session.actions import apply_moves, put_batch_on_device, rebuild_input
from latentlab.session.map.coloring import number_true_classes
from latentlab.session.map.layout import EmbeddedPoints
from latentlab.session.map.plan import MapPlan
from latentlab.session.map.service import MapMaker
from latentlab.session.state import Session
from latentlab.types import Batch, Flat, Images

MAX_MOVED = 64  # images that are moved at once
NEAREST_SHOWN = 8  # neighbours of the workbench's picture
UNSELECTED_MOVED = 24  # of the first of the map, where nothing is selected


@dataclass(frozen=True, eq=False)
class PointPath:
    """A path through the space: its points in order, what each is, and how far it is from the nearest real one."""

    name: str
    points: Flat
    images: Images
    words: tuple[str, ...]
    near: Float[Tensor, " P"]


@dataclass(frozen=True, eq=False)
class MovedPoints:
    """Many moved images: from where to where, what became of them, and the distances to the nearest real points.

    `rebuilt` is the mean distance of the pictures that the model gives back without any move: what is not the move's
    doing. Bits per dimension are a pair of lists, before and after, or None where nobody asked.
    """

    tool: LatentOperator
    rows: tuple[int, ...]
    starts: Flat
    ends: Flat
    images: Images
    before: Float[Tensor, " M"]
    near: Float[Tensor, " M"]
    rebuilt: float
    bits: tuple[tuple[float, ...], tuple[float, ...]] | None = None


@dataclass(frozen=True, eq=False)
class PointPairs:
    """Two sets matched by optimal transport in the map's space, and at random: rows, partners, mean squares apart."""

    rows: tuple[int, ...]
    others: tuple[int, ...]
    transport: Int[Tensor, " M"]
    random: Int[Tensor, " M"]
    costs: tuple[float, float]


def choose_map_rows(session: Session, plan: MapPlan) -> tuple[int, ...]:
    """Return the rows of the selection that are on the map; where nothing is selected, the first ones."""
    held = session.selection
    rows = held.rows if held.source == plan.source else ()
    return tuple(row for row in rows if row < plan.count) or tuple(range(min(UNSELECTED_MOVED, plan.count)))


def move_selection(
    map_maker: MapMaker, session: Session, plan: MapPlan, ground: EmbeddedPoints, bits: bool = False
) -> MovedPoints:
    """Move the selection as the session does, and place the moved images as all others are, by their pixels."""
    workspace, tool = map_maker.workspace, session.result.tool
    if plan.world != session.world:
        raise UserError(f"The map shows {plan.world}; wait until it shows {session.world}.")
    rows = thin_rows(choose_map_rows(session, plan), MAX_MOVED)
    images, labels = map_maker.load_images(plan, rows)
    batch = put_batch_on_device(workspace, Batch(images, make_map_targets(map_maker, session, images, labels)))
    codes = workspace.encode_pictures(session.model, images)
    bench = workspace.store.bench(session.model, session.classifier or None, session.seed)
    latents, _ = tool.move(codes, batch, bench)
    moved = workspace.decode_latents(session.model, latents)
    ends, back = (
        embed_for_plan(map_maker, plan, moved),
        embed_for_plan(map_maker, plan, workspace.decode_latents(session.model, codes)),
    )
    starts = ground.points[list(rows)]
    flow = workspace.find_density_model(session.world, session.model) if bits else None
    surprise = (
        None
        if flow is None
        else (tuple(workspace.measure_bits(flow, images)), tuple(workspace.measure_bits(flow, moved)))
    )
    return MovedPoints(
        tool,
        rows,
        starts,
        ends,
        moved,
        find_nearest(starts, ground.points, 2).distances[:, 1],
        find_nearest(ends, ground.points).distances[:, 0],
        float(find_nearest(back, ground.points).distances.mean()),
        surprise,
    )


def make_map_targets(map_maker: MapMaker, session: Session, images: Images, labels: Tensor | None) -> Tensor:
    """Return soft targets of the true classes where there are some, else of those that the classifier sees."""
    if not session.classifier:
        return torch.ones(len(images), 1)
    if labels is not None:
        numbers = number_true_classes(map_maker, session.world, session.classifier, labels)
    else:
        with torch.no_grad():
            network = map_maker.workspace.store.load(session.classifier)
            numbers = network(images.to(map_maker.workspace.store.device)).argmax(1).cpu()
    return one_hot(numbers, len(session.classes)).float()


def embed_for_plan(map_maker: MapMaker, plan: MapPlan, images: Images) -> Flat:
    """Return images as points of the map's space."""
    return embeddings.embed_images(
        map_maker.workspace.store.load(plan.space), images.to(map_maker.workspace.store.device)
    )


def trace_paths(map_maker: MapMaker, session: Session, plan: MapPlan, ground: EmbeddedPoints) -> list[PointPath]:
    """Trace the last attack step by step with its control, else the path that the session's move lies on."""
    if session.trace is not None:
        ours, control = session.trace
        named = [("attack", ours)] + ([("pixel PGD", control)] if control is not None else [])
        return [
            trace_images(
                map_maker, plan, ground, name, [step.image for step in track.steps], name_attack_steps(len(track.steps))
            )
            for name, track in named
        ]
    path = session.result.tool.make_path()
    if path is None:
        raise UserError("This move has no path; choose a direction, noise, a mix, or run an attack.")
    results = apply_moves(map_maker.workspace, session, [path.move_at(mark) for mark in path.marks])
    words = [f"{path.symbol} {mark:g}" for mark in path.marks]
    return [trace_images(map_maker, plan, ground, "path", [done.image for done in results], words)]


def name_attack_steps(count: int) -> list[str]:
    return ["no move", "start", *(f"step {k}" for k in range(1, count))][:count]


def trace_images(
    map_maker: MapMaker,
    plan: MapPlan,
    ground: EmbeddedPoints,
    name: str,
    images: Sequence[Images],
    words: Sequence[str],
) -> PointPath:
    """Place images on the map in their order and measure how far each is from the nearest real one."""
    whole = torch.cat(list(images))
    points = embed_for_plan(map_maker, plan, whole)
    return PointPath(name, points, whole, tuple(words), find_nearest(points, ground.points).distances[:, 0])


def trace_workbench(map_maker: MapMaker, session: Session, plan: MapPlan, ground: EmbeddedPoints) -> PointPath:
    """Trace the workbench's picture, what the model gives back of it, and its result."""
    images = [session.source.image, rebuild_input(map_maker.workspace, session).image, session.result.image]
    return trace_images(map_maker, plan, ground, "workbench", images, ("input", "rebuilt", "result"))


def match_two_sets(session: Session, plan: MapPlan, ground: EmbeddedPoints) -> PointPairs:
    """Match the two selected sets, equally many of each, as k-mixup does and as mixup does."""
    held = session.selection
    first, second = ([row for row in rows if row < plan.count] for rows in (held.rows, held.others))
    if held.source != plan.source or not first or not second:
        raise UserError("Pairs need two sets: lasso one, then choose “second set” and lasso the other.")
    count = min(len(first), len(second), MAX_MOVED)
    rows, others = thin_rows(first, count), thin_rows(second, count)
    a, b = ground.points[list(rows)], ground.points[list(others)]
    transport, random = match_points(a, b), draw_permutation(count, make_generator(session.seed))
    costs = tuple(float((a - b[order]).square().sum(1).mean()) for order in (transport, random))
    return PointPairs(rows, others, transport, random, (costs[0], costs[1]))


def thin_rows(rows: Sequence[int], most: int) -> tuple[int, ...]:
    """Return all of the rows, or an even choice of `most` of them."""
    if len(rows) <= most:
        return tuple(rows)
    return tuple(rows[round(place * (len(rows) - 1) / (most - 1))] for place in range(most)) if most > 1 else (rows[0],)


def select_lasso(session: Session, plan: MapPlan, rows: Sequence[int], second: bool) -> Session:
    """Select these rows of the map, or make them the set against it; the other set stays where it can."""
    if any(not 0 <= row < plan.count for row in rows):
        raise UserError(f"The map shows rows 0 to {plan.count - 1}; choose among them.")
    held = session.selection
    if held.source != plan.source:
        held = replace(held, source=plan.source, rows=(), others=())
    now = tuple(sorted(set(rows)))
    held = replace(held, others=now) if second else replace(held, rows=now)
    return replace(session, selection=held, notice="")


def find_nearest_points(here: PointPath, ground: EmbeddedPoints) -> NearestPoints:
    """Find the map's points nearest to the workbench's input and to its result, in the full space."""
    return find_nearest(here.points[[0, -1]], ground.points, min(NEAREST_SHOWN, len(ground.points)))

"""The map: many images as points of a space, laid out in the plane, and what is known of each of them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from latentlab import spaces
from latentlab.chance import seeded
from latentlab.errors import UserError
from latentlab.projections import PCA, Cache, Fitted, Projection, Quality, Worker, nearest, quality
from latentlab.projections.fitted import Plane
from latentlab.session.chores import Chore, Chores
from latentlab.session.desk import TEMPERATURE, Desk
from latentlab.session.shades import Shade, Values, read
from latentlab.session.state import Found, Session, Source
from latentlab.session.verbs import stacked
from latentlab.types import Flat, Images

COUNTS = (250, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000)
FIRST = 1_000
NUMBERS = 100_000_000  # of one map's points: 400 MB
PIECE = 32  # images between two reports
EARLY = 64  # points that are shown before the rest is there; then twice as many, and so on
KEPT = 24  # results, of them about a third whole sets of points
USUAL = 500  # real points whose nearest neighbours say what distance is usual

Turn = Float[Tensor, "P P"]


@dataclass(frozen=True)
class Plan:
    """What is mapped: which images, as points of which space."""

    world: str
    space: str  # a latent model, or a classifier for its features
    source: Source
    count: int

    @property
    def rows(self) -> range:
        return range(self.count)


@dataclass(frozen=True, eq=False)
class Ground:
    """The points of a plan in their space, and how far a real one usually is from the next."""

    points: Flat
    typical: float  # median distance to the nearest other
    far: float  # 95 % of the points have one nearer
    pictures: UInt8[Tensor, "N C H W"] | None = None  # of samples, which are costly to draw again


@dataclass(frozen=True, eq=False)
class Layout:
    """A projection, how good it is, and how it is turned and scaled to lie as the principal components do.

    So a better picture takes the place of the first without a jump, and a zoom keeps its meaning.
    """

    fitted: Fitted
    quality: Quality | None  # None while not all points are there
    turn: Turn

    @property
    def places(self) -> Plane:
        return self._turned(self.fitted.coordinates)

    def place(self, points: Flat) -> Plane:
        """Where these points of the full space lie in the picture."""
        return self._turned(self.fitted.transform(points))

    def _turned(self, places: Plane) -> Plane:
        return (places - self.fitted.coordinates.mean(0)) @ self.turn


@dataclass(frozen=True, eq=False)
class Sight:
    """What can be shown of a map now: the layout, the colours, what is still being computed, and what went wrong."""

    layout: Layout | None = None
    values: Values | None = None
    ground: Ground | None = None
    pending: str = ""
    why: str = ""

    @property
    def shown(self) -> tuple[object, ...]:
        """Changes when there is something new to draw."""
        return (self.layout, self.values)


class Atlas:
    """The maps of a desk's worlds, made in the background; one a process."""

    def __init__(self, desk: Desk, folder: Path) -> None:
        self.desk = desk
        self.worker = Worker(Cache(folder))
        self._chores = Chores(KEPT)

    def look(self, plan: Plan, tool: Projection, shade: Shade, again: bool = False) -> Sight:
        """The best that is ready; whatever is missing is begun. `again` also begins what had failed."""
        try:
            self._check(plan)
            ground = self._ground(plan, again)
            if not ground.done:
                return Sight(self._cut(ground.early, tool), pending=told("places the images", ground))
            points = ground.wait(0)
            first = self._layout(plan, points, PCA(tool.dims), again)
            best = self._layout(plan, points, tool, again)
            colours = self._values(plan, points, shade, again)
        except UserError as error:
            return Sight(why=str(error))
        chosen = next((chore for chore in (best, first) if chore.state == "finished"), None)
        busy = ((first, "lays out"), (best, f"lays out by {name_of(tool)}"), (colours, f"computes {shade.kind}"))
        pending = " · ".join(told(words, chore) for chore, words in busy if not chore.done)
        failed = next((chore.why for chore in (best, first, colours) if chore.state in ("failed", "cancelled")), "")
        layout = self._cut(ground.early, tool) if chosen is None else chosen.value
        values = colours.value if chosen is not None and colours.state == "finished" else None
        return Sight(layout, values, points, pending, failed)

    def cancel(self, plan: Plan, tool: Projection, shade: Shade) -> None:
        """What is still being computed for this view; what is there stays."""
        for key in (("ground", plan), ("layout", plan, tool), ("values", plan, shade)):
            chore = self._chores.find(key)
            if chore is not None and not chore.done:
                chore.cancel()

    def _check(self, plan: Plan) -> None:
        have = self.available(plan)
        if plan.count > have:
            raise UserError(f"There are {have:,} {plan.source} images of {plan.world}; choose at most so many.")

    def available(self, plan: Plan) -> int:
        return COUNTS[-1] if plan.source == "drawn" else len(getattr(self.desk.dataset(plan.world), plan.source))

    def _cut(self, early: Fitted | None, tool: Projection) -> Layout | None:
        if early is None or early.coordinates.shape[1] < tool.dims:
            return None
        return self._memoised(early, tool.dims)

    def _memoised(self, early: Fitted, dims: int) -> Layout:
        """One object for one early picture, so that it is drawn once."""

        def make() -> Layout:
            frame = replace(early.frame, axes=early.frame.axes[:, :dims])
            plane = early.coordinates[:, :dims]
            return Layout(replace(early, coordinates=plane, frame=frame), None, unit(plane))

        return self.desk.recall(("early", early.digest, dims), make)

    # the points

    def _ground(self, plan: Plan, again: bool) -> Chore:
        return self._chores.ask(("ground", plan), lambda chore: self._placed(plan, chore), again)

    def _placed(self, plan: Plan, chore: Chore) -> Ground:
        """All points, image by image; on the way the first ones are laid out, then twice as many, and so on."""
        network, pieces, pictures, goal = self.desk.store.load(plan.space), [], [], EARLY
        for start in range(0, plan.count, PIECE):
            rows = plan.rows[start : start + PIECE]
            images, _ = self.images(plan, rows)
            piece = spaces.points(network, images.to(self.desk.store.device))
            if plan.count * piece.shape[1] > NUMBERS:
                most = NUMBERS // piece.shape[1]
                raise UserError(
                    f"A picture has {piece.shape[1]:,} coordinates in this space; choose at most {most:,} images."
                )
            pieces.append(piece)
            if plan.source == "drawn":
                pictures.append((images * 255).round().byte())
            seen = start + len(piece)
            if seen >= goal and seen < plan.count:
                chore.early, goal = PCA(min(3, piece.shape[1])).fit(torch.cat(pieces)), 2 * seen
            chore.told("", seen / plan.count)
        points = torch.cat(pieces)
        return Ground(points, *usual(points), torch.cat(pictures) if pictures else None)

    def images(self, plan: Plan, rows: Sequence[int]) -> tuple[Images, Tensor | None]:
        """Images and labels of the data set's rows; samples of the world's model by their seeds, decoded as one."""
        if plan.source != "drawn":
            return self.desk.rows(plan.world, plan.source, rows)
        kept = self._chores.find(("ground", plan))
        if kept is not None and kept.state == "finished":
            return kept.value.pictures[list(rows)].float() / 255, None
        name = self.desk.drawing_model(plan.world)
        network = self.desk.store.load(name)
        drawn = stacked([network.sample(1, seeded(row)).map(lambda part: part * TEMPERATURE.default) for row in rows])
        return self.desk.decode(name, drawn), None

    # where they lie

    def _layout(self, plan: Plan, ground: Ground, tool: Projection, again: bool) -> Chore:
        return self._chores.ask(("layout", plan, tool), lambda chore: self._laid(plan, ground, tool, chore), again)

    def _laid(self, plan: Plan, ground: Ground, tool: Projection, chore: Chore) -> Layout:
        if isinstance(tool, PCA):
            fitted = tool.fit(ground.points, chore.told)
            turn = unit(fitted.coordinates)
        else:
            fitted = self._by_worker(ground, tool, chore)
            first = self._layout(plan, ground, PCA(tool.dims), again=False).wait()
            turn = onto(fitted.coordinates, first.places)
        chore.told("measures it", 1.0)
        return Layout(fitted, quality(ground.points, fitted.coordinates), turn)

    def _by_worker(self, ground: Ground, tool: Projection, chore: Chore) -> Fitted:
        job = self.worker.project(ground.points, tool)
        try:
            while not job.done:
                chore.told(job.stage, job.progress)
                time.sleep(0.1)
        finally:
            job.cancel()
        return job.result(0)

    # what is known of each

    def _values(self, plan: Plan, ground: Ground, shade: Shade, again: bool) -> Chore:
        return self._chores.ask(("values", plan, shade), lambda chore: read(self, plan, ground, shade, chore), again)


def told(words: str, chore: Chore) -> str:
    stage = f" ({chore.stage})" if chore.stage else ""
    return f"{words}{stage}: {100 * chore.share:.0f} %"


def name_of(tool: Projection) -> str:
    return type(tool).__name__


def unit(places: Plane) -> Turn:
    """The scale that gives the places the root mean square 1 around their mean."""
    size = (places - places.mean(0)).square().sum(1).mean().sqrt()
    return torch.eye(places.shape[1]) / size.clamp_min(1e-12)


def onto(places: Plane, others: Plane) -> Turn:
    """To the root mean square 1, turned or mirrored to lie nearest to the others (orthogonal Procrustes)."""
    centred = places - places.mean(0)
    u, _, v = torch.linalg.svd(centred.T @ (others - others.mean(0)))
    return u @ v @ unit(places)


def usual(points: Flat) -> tuple[float, float]:
    """Median and 95th percentile of a real point's distance to the nearest other, over an even choice of them."""
    some = points[:: max(1, len(points) // USUAL)]
    median, far = nearest(some, points, 2).distances[:, 1].quantile(torch.tensor([0.5, 0.95])).tolist()
    return median, far


def first_plan(desk: Desk, session: Session) -> tuple[Plan, str]:
    """The classifier's features of the first test images; of samples where data are missing, and a line saying so."""
    space = session.classifier or session.model
    try:
        have = len(desk.dataset(session.world).test)
    except UserError as error:
        line = f"{error} Until then the map shows samples drawn from {desk.drawing_model(session.world)}."
        return Plan(session.world, space, "drawn", FIRST // 4), line
    return Plan(session.world, space, "test", max(count for count in COUNTS if count <= min(have, FIRST))), ""


def found(desk: Desk, plan: Plan, row: int) -> Found:
    """The picture of one point of a map."""
    if not 0 <= row < plan.count:
        raise UserError(f"The map shows rows 0 to {plan.count - 1}; choose one of them.")
    if plan.source == "drawn":
        return desk.draw(desk.drawing_model(plan.world), row, TEMPERATURE.default)
    return desk.row(plan.world, row, plan.source)

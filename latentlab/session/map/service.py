"""A `MapMaker` computes maps in background jobs: the points of the images, their layout, their colours."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from latentlab import embeddings
from latentlab.chance import make_generator
from latentlab.errors import UserError
from latentlab.projections import (
    PCA,
    FittedProjection,
    Projection,
    ProjectionCache,
    ProjectionWorker,
    measure_projection,
)
from latentlab.session.actions import stack_latents
from latentlab.session.jobs import Job, JobPool
from latentlab.session.map.coloring import Colouring, PointValues, compute_values
from latentlab.session.map.layout import EmbeddedPoints, Layout, align_places, make_unit_scale, measure_spacing
from latentlab.session.map.plan import MAP_SIZES, MapPlan
from latentlab.session.workspace import TEMPERATURE_SETTING, Workspace
from latentlab.types import Images

MAX_COORDINATES = 100_000_000  # of one map's points: 400 MB
EMBEDDING_CHUNK = 32  # images between two reports
FIRST_PREVIEW_SIZE = 64  # points that are shown before the rest is there; then twice as many, and so on
MAX_KEPT_RESULTS = 24  # results, of them about a third whole sets of points


@dataclass(frozen=True, eq=False)
class MapState:
    """What can be shown of a map now: the layout, the colours, what is still being computed, and what went wrong."""

    layout: Layout | None = None
    values: PointValues | None = None
    ground: EmbeddedPoints | None = None
    pending: str = ""
    why: str = ""

    @property
    def drawn_parts(self) -> tuple[object, ...]:
        """Return what is drawn; it changes when there is something new to draw."""
        return (self.layout, self.values)


class MapMaker:
    """A `MapMaker` computes the maps of a workspace's worlds in the background; there is one a process."""

    def __init__(self, workspace: Workspace, folder: Path) -> None:
        self.workspace = workspace
        self.worker = ProjectionWorker(ProjectionCache(folder))
        self._chores = JobPool(MAX_KEPT_RESULTS)

    def request_map(self, plan: MapPlan, tool: Projection, shade: Colouring, again: bool = False) -> MapState:
        """Return the best that is ready and begin whatever is missing; `again` also begins what had failed."""
        try:
            self._check_count(plan)
            ground = self._request_points(plan, again)
            if not ground.is_over:
                return MapState(
                    self._find_preview(ground.early, tool), pending=describe_progress("places the images", ground)
                )
            points = ground.wait_for_value(0)
            first = self._request_layout(plan, points, PCA(tool.dims), again)
            best = self._request_layout(plan, points, tool, again)
            colours = self._request_values(plan, points, shade, again)
        except UserError as error:
            return MapState(why=str(error))
        chosen = next((job for job in (best, first) if job.state == "finished"), None)
        busy = (
            (first, "lays out"),
            (best, f"lays out by {name_projection(tool)}"),
            (colours, f"computes {shade.kind}"),
        )
        pending = " · ".join(describe_progress(words, job) for job, words in busy if not job.is_over)
        failed = next((job.why for job in (best, first, colours) if job.state in ("failed", "cancelled")), "")
        layout = self._find_preview(ground.early, tool) if chosen is None else chosen.value
        values = colours.value if chosen is not None and colours.state == "finished" else None
        return MapState(layout, values, points, pending, failed)

    def cancel_map(self, plan: MapPlan, tool: Projection, shade: Colouring) -> None:
        """Cancel what is still being computed for this view; what is there stays."""
        for key in (("ground", plan), ("layout", plan, tool), ("values", plan, shade)):
            job = self._chores.find_job(key)
            if job is not None and not job.is_over:
                job.cancel()

    def _check_count(self, plan: MapPlan) -> None:
        """Refuse a plan of more images than there are."""
        have = self.count_available(plan)
        if plan.count > have:
            raise UserError(f"There are {have:,} {plan.source} images of {plan.world}; choose at most so many.")

    def count_available(self, plan: MapPlan) -> int:
        """Return how many images of the plan's source there are."""
        return (
            MAP_SIZES[-1]
            if plan.source == "drawn"
            else len(getattr(self.workspace.load_dataset(plan.world), plan.source))
        )

    def _find_preview(self, early: FittedProjection | None, tool: Projection) -> Layout | None:
        """Return the early layout in the tool's dimensions; None where there is none of so many."""
        if early is None or early.coordinates.shape[1] < tool.dims:
            return None
        return self._remember_preview(early, tool.dims)

    def _remember_preview(self, early: FittedProjection, dims: int) -> Layout:
        """Return one object for one early picture, so that it is drawn once."""

        def make_layout() -> Layout:
            frame = replace(early.frame, axes=early.frame.axes[:, :dims])
            plane = early.coordinates[:, :dims]
            return Layout(replace(early, coordinates=plane, frame=frame), None, make_unit_scale(plane))

        return self.workspace.recall_result(("early", early.digest, dims), make_layout)

    # the points

    def _request_points(self, plan: MapPlan, again: bool) -> Job:
        return self._chores.request_job(("ground", plan), lambda job: self._embed_plan(plan, job), again)

    def _embed_plan(self, plan: MapPlan, job: Job) -> EmbeddedPoints:
        """Embed all images piece by piece; on the way lay out the first points, then twice as many, and so on."""
        network, pieces, pictures, goal = self.workspace.store.load(plan.space), [], [], FIRST_PREVIEW_SIZE
        for start in range(0, plan.count, EMBEDDING_CHUNK):
            rows = plan.row_range[start : start + EMBEDDING_CHUNK]
            images, _ = self.load_images(plan, rows)
            piece = embeddings.embed_images(network, images.to(self.workspace.store.device))
            if plan.count * piece.shape[1] > MAX_COORDINATES:
                most = MAX_COORDINATES // piece.shape[1]
                raise UserError(
                    f"A picture has {piece.shape[1]:,} coordinates in this space; choose at most {most:,} images."
                )
            pieces.append(piece)
            if plan.source == "drawn":
                pictures.append((images * 255).round().byte())
            seen = start + len(piece)
            if seen >= goal and seen < plan.count:
                job.early, goal = PCA(min(3, piece.shape[1])).fit(torch.cat(pieces)), 2 * seen
            job.report_progress("", seen / plan.count)
        points = torch.cat(pieces)
        return EmbeddedPoints(points, *measure_spacing(points), torch.cat(pictures) if pictures else None)

    def load_images(self, plan: MapPlan, rows: Sequence[int]) -> tuple[Images, Tensor | None]:
        """Return images and labels of the data set's rows, or samples of the world's model by their seeds.

        The samples are decoded as one batch.
        """
        if plan.source != "drawn":
            return self.workspace.load_rows(plan.world, plan.source, rows)
        kept = self._chores.find_job(("ground", plan))
        if kept is not None and kept.state == "finished":
            return kept.value.pictures[list(rows)].float() / 255, None
        name = self.workspace.choose_drawing_model(plan.world)
        network = self.workspace.store.load(name)
        drawn = stack_latents(
            [
                network.sample(1, make_generator(row)).map(lambda part: part * TEMPERATURE_SETTING.default)
                for row in rows
            ]
        )
        return self.workspace.decode_latents(name, drawn), None

    # where they lie

    def _request_layout(self, plan: MapPlan, ground: EmbeddedPoints, tool: Projection, again: bool) -> Job:
        return self._chores.request_job(
            ("layout", plan, tool), lambda job: self._compute_layout(plan, ground, tool, job), again
        )

    def _compute_layout(self, plan: MapPlan, ground: EmbeddedPoints, tool: Projection, job: Job) -> Layout:
        """Fit the projection, turn it as the principal components lie, and measure it."""
        if isinstance(tool, PCA):
            fitted = tool.fit(ground.points, job.report_progress)
            turn = make_unit_scale(fitted.coordinates)
        else:
            fitted = self._fit_in_worker(ground, tool, job)
            first = self._request_layout(plan, ground, PCA(tool.dims), again=False).wait_for_value()
            turn = align_places(fitted.coordinates, first.plane_points)
        job.report_progress("measures it", 1.0)
        return Layout(fitted, measure_projection(ground.points, fitted.coordinates), turn)

    def _fit_in_worker(self, ground: EmbeddedPoints, tool: Projection, job: Job) -> FittedProjection:
        """Fit the projection in the worker's process and report its progress here."""
        projection_job = self.worker.request_projection(ground.points, tool)
        try:
            while not projection_job.is_done:
                job.report_progress(projection_job.stage, projection_job.progress)
                time.sleep(0.1)
        finally:
            projection_job.cancel()
        return projection_job.await_result(0)

    # what is known of each

    def _request_values(self, plan: MapPlan, ground: EmbeddedPoints, shade: Colouring, again: bool) -> Job:
        return self._chores.request_job(
            ("values", plan, shade), lambda job: compute_values(self, plan, ground, shade, job), again
        )


def describe_progress(words: str, job: Job) -> str:
    """Say what a job is doing and how much of it is done, in %."""
    stage = f" ({job.stage})" if job.stage else ""
    return f"{words}{stage}: {100 * job.share:.0f} %"


def name_projection(tool: Projection) -> str:
    return type(tool).__name__

"""What the map's events do: the controls' wish compared with what the figure shows, and the difference drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr
from torch import Tensor

from latentlab import session as verbs
from latentlab.errors import UserError
from latentlab.projections import PCA, Projection
from latentlab.session import INDEX_SETTING, Selection, Session
from latentlab.session.actions import require_choice
from latentlab.session.map import overlays as drifts
from latentlab.session.map.coloring import COLOURING_KINDS, Colouring
from latentlab.session.map.overlays import PointPath
from latentlab.session.map.plan import MAP_SIZES, MapPlan, choose_first_plan, find_point_picture
from latentlab.session.map.service import MapMaker
from latentlab.ui.events import Page
from latentlab.ui.form import Form
from latentlab.ui.html import encode_png_uri, escape_text
from latentlab.ui.stage.view import draw_note, shorten_model_name, spell_name
from latentlab.ui.tabs.map import figure, summary

PICTURE_SOURCES = [("test images", "test"), ("training images", "train"), ("samples drawn", "drawn")]
OVERLAY_LABELS = {"nothing": "nothing", "moves": "the move on many", "path": "the path", "pairs": "pairs of two sets"}
MAP_OUTPUT_COUNT, MAP_CONTROL_COUNT = (
    13,
    6,
)  # of a look: the map's own, the last of them the controls that follow a new world
CLASSIFIER_SHADES = ("prediction", "correctness", "loss")


@dataclass(frozen=True)
class MapRequest:
    """What the controls say."""

    plan: MapPlan
    tool: Projection
    shade: Colouring
    overlay: str
    bits: bool


@dataclass(frozen=True, eq=False)
class MapView:
    """What the figure shows: it tells whether there is something new, and which points are which rows."""

    asked: MapRequest
    drawn: tuple[object, ...] = ()
    rows: tuple[Tensor, ...] = ()
    line: str = ""


@dataclass(frozen=True, eq=False)
class ComputedOverlay:
    """What lies on top of the points of a plan, once it is computed; `due` is what it was computed for."""

    plan: MapPlan
    due: str = ""
    here: PointPath | None = None
    overlay: figure.Overlay = None
    why: str = ""


class MapController:
    """It does what the map's events ask for; every value comes from a visitor and is checked."""

    def __init__(self, page: Page, atlas: MapMaker, pacmap: Form, umap: Form) -> None:
        self.page, self.atlas, self.pacmap, self.umap = page, atlas, pacmap, umap

    def read_controls(self, session: Session, view: MapView | None, values: Sequence[Any]) -> tuple[MapRequest, str]:
        """Return the controls' wish and a line about it; at the first look at a world it is its first map."""
        space, source, count, method, dims, kind, detail, overlay, bits, *knobs = values
        axes = 3 if dims == "3" else 2
        mine, theirs = knobs[: len(self.pacmap.widgets)], knobs[len(self.pacmap.widgets) :]
        tools = {
            "pacmap": lambda: self.pacmap.read_tool(mine, dims=axes),
            "umap": lambda: self.umap.read_tool(theirs, dims=axes),
        }
        tool = tools[method]() if method in tools else PCA(dims=axes)
        if view is None or view.asked.plan.world != session.world:
            plan, line = choose_first_plan(self.atlas.workspace, session)
            return MapRequest(plan, tool, choose_first_shade(plan, session), "nothing", bool(bits)), line
        if source is None or count is None:  # the first map's choices are still on their way to the controls
            return view.asked, view.line
        line = view.line if (source, count) == (view.asked.plan.source, view.asked.plan.count) else ""
        plan = MapPlan(session.world, space, source, count)
        shade = Colouring(
            kind, session.classifier if kind in CLASSIFIER_SHADES else "", (detail or "") if kind == "attribute" else ""
        )
        self.check_request(plan, shade)
        return MapRequest(plan, tool, shade, overlay if overlay in OVERLAY_LABELS else "nothing", bool(bits)), line

    def check_request(self, plan: MapPlan, shade: Colouring) -> None:
        """Refuse what is not among the choices."""
        store = self.atlas.workspace.store
        require_choice("space", plan.space, [*store.list_models(plan.world), *store.list_classifiers(plan.world)])
        if (
            plan.source not in [key for _, key in PICTURE_SOURCES]
            or plan.count not in MAP_SIZES
            or shade.kind not in COLOURING_KINDS
        ):
            raise UserError("The map's controls say something that is not on them; reload the page.")

    def retry_map(
        self, seen: bool, session: Session | None, view: MapView | None, extra: ComputedOverlay | None, *values: Any
    ):
        """Answer a hand on the controls: what had failed is tried again."""
        return self._paint_map(session, view, extra, values, again=True)

    def refresh_map(
        self, seen: bool, session: Session | None, view: MapView | None, extra: ComputedOverlay | None, *values: Any
    ):
        """Paint what is new, from time to time, while the map is in sight."""
        return self._paint_map(session, view, extra, values, again=False) if seen else [gr.skip()] * MAP_OUTPUT_COUNT

    def _paint_map(
        self,
        session: Session | None,
        view: MapView | None,
        extra: ComputedOverlay | None,
        values: Sequence[Any],
        again: bool,
    ) -> list[Any]:
        """Return the figure and its numbers, where there is something new to show."""
        if session is None:
            return [gr.skip()] * MAP_OUTPUT_COUNT
        try:
            asked, line = self.read_controls(session, view, values)
        except UserError as error:
            return [*[gr.skip()] * 4, draw_note(str(error)), *[gr.skip()] * (MAP_OUTPUT_COUNT - 5)]
        fresh = view is None or view.asked.plan.world != session.world
        sight = self.atlas.request_map(asked.plan, asked.tool, asked.shade, again)
        top = extra if extra is not None and extra.plan == asked.plan else ComputedOverlay(asked.plan)
        drawn = (asked.plan, *sight.drawn_parts, session.selection, top.here, top.overlay)
        picture, rows = gr.skip(), view.rows if view else ()
        if sight.layout is not None and (view is None or drawn != view.drawn):
            picture, rows = figure.draw_map_figure(sight, asked.plan, session.selection, top.here, top.overlay)
        return [
            MapView(asked, drawn if sight.layout is not None else (), tuple(rows), line),
            picture,
            f'<p class="ll-quiet" role="status">{escape_text(sight.pending)}</p>',
            gr.update(interactive=bool(sight.pending)),
            draw_note(sight.why or top.why or line),
            summary.draw_map_numbers(sight, top.here, top.overlay),
            write_overlay_key(asked, session) if sight.ground is not None else "",
            *(reset_controls(self.page, session, asked) if fresh else [gr.skip()] * MAP_CONTROL_COUNT),
        ]

    def measure_overlay(
        self, session: Session | None, view: MapView | None, extra: ComputedOverlay | None, wanted: str
    ) -> Any:
        """Compute what lies on top: the workbench's picture, and the overlay that was asked for."""
        if session is None or view is None or not wanted or (extra is not None and extra.due == wanted):
            return gr.skip()
        asked, atlas = view.asked, self.atlas
        ground = atlas.request_map(asked.plan, asked.tool, asked.shade).ground
        if ground is None or asked.plan.world != session.world:
            return gr.skip()
        here, why, laid = drifts.trace_workbench(atlas, session, asked.plan, ground), "", None
        try:
            match asked.overlay:
                case "moves":
                    laid = drifts.move_selection(atlas, session, asked.plan, ground, asked.bits)
                case "path":
                    laid = tuple(drifts.trace_paths(atlas, session, asked.plan, ground))
                case "pairs":
                    laid = drifts.match_two_sets(session, asked.plan, ground)
        except UserError as error:
            why = str(error)
        return ComputedOverlay(asked.plan, wanted, here, laid, why)

    def cancel_work(self, view: MapView | None) -> None:
        if view is not None:
            self.atlas.cancel_map(view.asked.plan, view.asked.tool, view.asked.shade)

    def take_point(self, session: Session, points: list[tuple[int, int]], view: MapView | None) -> Session:
        """Take the picture of a point to the workbench; a click on what lies on top changes nothing."""
        rows = figure.find_point_rows(view.rows, points) if view else []
        if view is None or not rows:
            return session
        return verbs.place_picture(
            self.atlas.workspace, session, find_point_picture(self.atlas.workspace, view.asked.plan, rows[0])
        )

    def lasso_points(
        self, session: Session, points: list[tuple[int, int]], view: MapView | None, target: str
    ) -> Session:
        if view is None:
            return session
        rows = figure.find_point_rows(view.rows, points)
        if not rows:
            raise UserError("There are no points in this frame; draw around some, or zoom in.")
        return drifts.select_lasso(session, view.asked.plan, rows, target == "second")

    def clear_selection(self, session: Session) -> Session:
        held = session.selection
        return session if not (held.rows or held.others) else replace(session, selection=Selection(), notice="")


def choose_first_shade(plan: MapPlan, session: Session) -> Colouring:
    """Choose the true class where there is one, else the classifier's, else clusters."""
    attribute = session.classifier.partition(":")[2]
    if plan.source != "drawn":
        return Colouring("attribute", detail=attribute) if attribute else Colouring("label")
    return Colouring("prediction", session.classifier) if session.classifier else Colouring("cluster")


def reset_controls(page: Page, session: Session, asked: MapRequest) -> list[Any]:
    """Return the controls for another world: what there is to choose, and what is chosen first."""
    workspace, world = page.workspace, session.world
    models = [(shorten_model_name(workspace, name, world), name) for name in workspace.store.list_models(world)]
    nets = {strip_attribute(name): name for name in reversed(workspace.store.list_classifiers(world))}
    nets[strip_attribute(session.classifier)] = session.classifier
    features = [(f"features of {base.removeprefix(f'{world}-')}", name) for base, name in nets.items() if name]
    attributes = [name.partition(":")[2] for name in workspace.store.list_classifiers(world) if ":" in name]
    first = asked.shade.detail or next(iter(attributes), None)
    kinds = [kind for kind in COLOURING_KINDS if kind != ("label" if attributes else "attribute")]
    return [
        gr.update(choices=[*features, *models], value=asked.plan.space),
        asked.plan.source,
        asked.plan.count,
        gr.update(choices=kinds, value=asked.shade.kind),
        gr.update(choices=attributes, value=first, visible=bool(attributes)),
        "nothing",
    ]


def strip_attribute(classifier: str) -> str:
    """Return the name of the network whose output this classifier is."""
    return classifier.partition(":")[0]


def write_overlay_key(asked: MapRequest, session: Session) -> str:
    """Return a text that changes when what lies on top must be computed anew."""
    pictures = (session.source.name or session.source.origin, id(session.source.image), id(session.result.image))
    attack = id(session.trace) if session.trace else 0
    held = hash(session.selection) if asked.overlay in ("moves", "pairs") else 0
    return f"{asked.plan} {asked.overlay} {asked.bits} {session.model} {session.seed} {pictures} {attack} {held}"


def preview_point(page: Page, asked: Any) -> dict[str, str] | None:
    """Return the picture of a point under the hand; None where the question makes no sense."""
    if not isinstance(asked, dict) or asked.get("world") not in page.workspace.store.worlds:
        return None
    try:
        plan = MapPlan(asked["world"], "", asked.get("source", "test"), MAP_SIZES[-1])
        shown = find_point_picture(page.workspace, plan, INDEX_SETTING.check_value(asked.get("row")))
    except UserError:
        return None
    labels = ", ".join(sorted(map(spell_name, shown.labels or ()))[:4])
    return {"src": encode_png_uri(shown.image[0]), "text": " · ".join(filter(None, [labels, shown.origin]))}

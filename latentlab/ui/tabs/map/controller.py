"""What the map's events do: the controls' wish compared with what the figure shows, and the difference drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr
from torch import Tensor

from latentlab import session as verbs
from latentlab.errors import UserError
from latentlab.projections import PCA, NearestPoints, Projection
from latentlab.session import Selection, Session, Workspace
from latentlab.session.actions import require_choice
from latentlab.session.map import overlays as drifts
from latentlab.session.map.coloring import COLOURING_KINDS, Colouring
from latentlab.session.map.overlays import PointPath
from latentlab.session.map.plan import MAP_SIZES, MapPlan, choose_first_plan, find_point_picture
from latentlab.session.map.service import MapMaker, MapState
from latentlab.session.mixing import has_data
from latentlab.ui.html import escape_text
from latentlab.ui.page_parts import Page, Painted
from latentlab.ui.stage.view import draw_note, shorten_model_name
from latentlab.ui.tabs.map import figure, summary
from latentlab.ui.tabs.map.widgets import OVERLAY_LABELS, PICTURE_SOURCES, MapWidgets

CLASSIFIER_SHADES = ("prediction", "correctness", "loss")


@dataclass(frozen=True)
class MapRequest:
    """What the controls say."""

    plan: MapPlan
    tool: Projection
    shade: Colouring
    overlay: str
    bits: bool
    pictures: bool = True


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
    nearest: NearestPoints | None = None  # to the workbench's input and result


@dataclass(frozen=True, eq=False)
class MapLook:
    """One look at the map: what was asked for, a line about it, what is there of it, and what lies on top."""

    asked: MapRequest
    line: str
    sight: MapState
    top: ComputedOverlay


class MapController:
    """It does what the map's events ask for; every value comes from a visitor and is checked."""

    def __init__(self, page: Page, atlas: MapMaker, widgets: MapWidgets) -> None:
        self.page, self.atlas, self.widgets = page, atlas, widgets

    def read_controls(
        self, session: Session, view: MapView | None, controls: Mapping[str, Any]
    ) -> tuple[MapRequest, str]:
        """Return the controls' wish and a line about it; at the first look at a world it is its first map."""
        tool, bits = self.read_projection(controls), bool(controls["bits"])
        pictures = bool(controls["pictures"])
        if view is None or view.asked.plan.world != session.world:
            plan, line = choose_first_plan(self.atlas.workspace, session)
            return MapRequest(
                plan, tool, choose_first_shade(self.atlas.workspace, plan, session), "nothing", bits, pictures
            ), line
        source, count, kind = controls["source"], controls["count"], controls["shade"]
        if source is None or count is None:  # the first map's choices are still on their way to the controls
            return view.asked, view.line
        line = view.line if (source, count) == (view.asked.plan.source, view.asked.plan.count) else ""
        plan = MapPlan(session.world, controls["space"], source, count)
        classifier = session.classifier if kind in CLASSIFIER_SHADES else ""
        shade = Colouring(kind, classifier, (controls["detail"] or "") if kind == "attribute" else "")
        self.check_request(plan, shade)
        overlay = controls["overlay"] if controls["overlay"] in OVERLAY_LABELS else "nothing"
        return MapRequest(plan, tool, shade, overlay, bits, pictures), line

    def read_projection(self, controls: Mapping[str, Any]) -> Projection:
        """Return the projection in the hand's method, for a plane or a room."""
        axes, method = 3 if controls["dims"] == "3" else 2, controls["method"]
        forms = {"pacmap": self.widgets.pacmap, "umap": self.widgets.umap}
        return forms[method].read_tool(controls[method], dims=axes) if method in forms else PCA(dims=axes)

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

    def refresh_map(self, seen: bool, **looked: Any) -> Painted:
        """Paint what is new, from time to time, while the map is in sight."""
        return self.paint_map(again=False, **looked) if seen else {}

    def retry_map(self, **looked: Any) -> Painted:
        """Answer a hand on the controls: what had failed is tried again."""
        return self.paint_map(again=True, **looked)

    def paint_map(
        self,
        again: bool,
        session: Session | None,
        view: MapView | None,
        extra: ComputedOverlay | None,
        **controls: Any,
    ) -> Painted:
        """Return the figure and its numbers, where there is something new to show."""
        if session is None:
            return {}
        asked, line = self.read_controls(session, view, controls)
        sight = self.atlas.request_map(asked.plan, asked.tool, asked.shade, again)
        top = extra if extra is not None and extra.plan == asked.plan else ComputedOverlay(asked.plan)
        parts = self.widgets
        fresh = view is None or view.asked.plan.world != session.world
        return {
            **self.paint_figure(session, view, MapLook(asked, line, sight, top)),
            parts.progress: f'<p class="ll-quiet" role="status">{escape_text(sight.pending)}</p>',
            parts.cancel: gr.update(interactive=bool(sight.pending)),
            parts.note: draw_note(sight.why or top.why or line),
            parts.numbers: summary.draw_map_numbers(sight, top.here, top.overlay),
            parts.nearest: summary.draw_nearest(self.atlas, asked.plan, top.nearest),
            parts.due: write_overlay_key(asked, session) if sight.ground is not None else "",
            **(self.reset_controls(session, asked) if fresh else {}),
        }

    def paint_figure(self, session: Session, view: MapView | None, look: MapLook) -> Painted:
        """Return what the figure shows, drawn again only where it is something else than before."""
        asked, sight, top = look.asked, look.sight, look.top
        if sight.layout is None:
            return {self.widgets.view: MapView(asked, (), view.rows if view else (), look.line)}
        drawn = (asked.plan, *sight.drawn_parts, session.selection, top.here, top.overlay, asked.pictures)
        if view is not None and drawn == view.drawn:
            return {self.widgets.view: MapView(asked, drawn, view.rows, look.line)}
        picture, rows = figure.draw_map_figure(
            sight, asked.plan, session.selection, top.here, top.overlay, asked.pictures
        )
        return {self.widgets.view: MapView(asked, drawn, tuple(rows), look.line), self.widgets.figure: picture}

    def reset_controls(self, session: Session, asked: MapRequest) -> Painted:
        """Return the controls for another world: what there is to choose, and what is chosen first."""
        workspace, world, parts = self.page.workspace, session.world, self.widgets
        attributes = list_map_attributes(workspace, world)
        first = asked.shade.detail or next(iter(attributes), None)
        kinds = [kind for kind in COLOURING_KINDS if kind != ("label" if attributes else "attribute")]
        return {
            parts.space: gr.update(choices=list_map_spaces(workspace, session), value=asked.plan.space),
            parts.source: asked.plan.source,
            parts.count: asked.plan.count,
            parts.shade: gr.update(choices=kinds, value=asked.shade.kind),
            parts.detail: gr.update(choices=attributes, value=first, visible=bool(attributes)),
            parts.overlay: "nothing",
        }

    def measure_overlay(
        self, session: Session | None, view: MapView | None, extra: ComputedOverlay | None, wanted: str
    ) -> Painted:
        """Compute what lies on top: the workbench's picture, and the overlay that was asked for."""
        if session is None or view is None or not wanted or (extra is not None and extra.due == wanted):
            return {}
        asked, atlas = view.asked, self.atlas
        ground = atlas.request_map(asked.plan, asked.tool, asked.shade).ground
        if ground is None or asked.plan.world != session.world:
            return {}
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
        nearest = drifts.find_nearest_points(here, ground) if here is not None else None
        return {self.widgets.extra: ComputedOverlay(asked.plan, wanted, here, laid, why, nearest)}

    def cancel_work(self, view: MapView | None) -> Painted:
        if view is not None:
            self.atlas.cancel_map(view.asked.plan, view.asked.tool, view.asked.shade)
        return {}

    def take_point(self, session: Session, points: list[tuple[int, int]], view: MapView | None) -> Session:
        """Take the picture of a point to the workbench; a click on what lies on top changes nothing."""
        rows = figure.find_point_rows(view.rows, points) if view else []
        if view is None or not rows:
            return session
        return verbs.place_picture(
            self.atlas.workspace, session, find_point_picture(self.atlas.workspace, view.asked.plan, rows[0])
        )

    def take_nearest(self, session: Session, key: str, view: MapView | None) -> Session:
        """Take the picture of one of the nearest points to the workbench."""
        if view is None or not key[:9].isdecimal():
            return session
        return verbs.place_picture(
            self.atlas.workspace, session, find_point_picture(self.atlas.workspace, view.asked.plan, int(key[:9]))
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


def choose_first_shade(workspace: Workspace, plan: MapPlan, session: Session) -> Colouring:
    """Choose the true class where there is one, else the classifier's, else clusters."""
    attribute = session.classifier.partition(":")[2]
    if plan.source != "drawn":
        if attribute:
            return Colouring("attribute", detail=attribute)
        world = workspace.load_dataset(plan.world)
        if world.classes:
            return Colouring("attribute", detail=world.classes[0]) if world.multilabel else Colouring("label")
    return Colouring("prediction", session.classifier) if session.classifier else Colouring("cluster")


def list_map_attributes(workspace: Workspace, world: str) -> list[str]:
    """List the attributes that the world's classifiers know, or else those of its data."""
    known = [name.partition(":")[2] for name in workspace.store.list_classifiers(world) if ":" in name]
    if known or not has_data(workspace, world):
        return known
    data = workspace.load_dataset(world)
    return list(data.classes) if data.multilabel else []


def list_map_spaces(workspace: Workspace, session: Session) -> list[tuple[str, str]]:
    """List what points there can be: features of each network of classifiers, then the latents of each model."""
    world, store = session.world, workspace.store
    models = [(shorten_model_name(workspace, name, world), name) for name in store.list_models(world)]
    nets = {strip_attribute(name): name for name in reversed(store.list_classifiers(world))}
    nets[strip_attribute(session.classifier)] = session.classifier
    features = [(f"features of {base.removeprefix(f'{world}-')}", name) for base, name in nets.items() if name]
    return [*features, *models]


def strip_attribute(classifier: str) -> str:
    """Return the name of the network whose output this classifier is."""
    return classifier.partition(":")[0]


def write_overlay_key(asked: MapRequest, session: Session) -> str:
    """Return a text that changes when what lies on top must be computed anew."""
    pictures = (session.source.name or session.source.origin, id(session.source.image), id(session.result.image))
    attack = id(session.trace) if session.trace else 0
    held = hash(session.selection) if asked.overlay in ("moves", "pairs") else 0
    return f"{asked.plan} {asked.overlay} {asked.bits} {session.model} {session.seed} {pictures} {attack} {held}"

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
from latentlab.session import INDEX, Selection, Session
from latentlab.session import drift as drifts
from latentlab.session.atlas import COUNTS, Atlas, Plan, first_plan, found
from latentlab.session.drift import Line
from latentlab.session.shades import SHADES, Shade
from latentlab.session.verbs import known
from latentlab.ui import chart, show, survey
from latentlab.ui.form import Form
from latentlab.ui.markup import text, uri
from latentlab.ui.wiring import Page

SOURCES = [("test images", "test"), ("training images", "train"), ("samples drawn", "drawn")]
OVERLAYS = {"nothing": "nothing", "moves": "the move on many", "path": "the path", "pairs": "pairs of two sets"}
OUTPUTS, CONTROLS = 13, 6  # of a look: the map's own, the last of them the controls that follow a new world
JUDGED = ("prediction", "correctness", "loss")


@dataclass(frozen=True)
class Asked:
    """What the controls say."""

    plan: Plan
    tool: Projection
    shade: Shade
    overlay: str
    bits: bool


@dataclass(frozen=True, eq=False)
class View:
    """What the figure shows: by this it is known whether there is something new, and which points are which rows."""

    asked: Asked
    drawn: tuple[object, ...] = ()
    rows: tuple[Tensor, ...] = ()
    line: str = ""


@dataclass(frozen=True, eq=False)
class Extra:
    """What lies on top of the points of a plan, once it is computed; `due` is what it was computed for."""

    plan: Plan
    due: str = ""
    here: Line | None = None
    overlay: chart.Overlay = None
    why: str = ""


class Paper:
    """What the map's events do; every value comes from a visitor and is checked."""

    def __init__(self, page: Page, atlas: Atlas, pacmap: Form, umap: Form) -> None:
        self.page, self.atlas, self.pacmap, self.umap = page, atlas, pacmap, umap

    def asked(self, session: Session, view: View | None, values: Sequence[Any]) -> tuple[Asked, str]:
        """The controls' wish and a line about it; at the first look at a world its first map."""
        space, source, count, method, dims, kind, detail, overlay, bits, *knobs = values
        axes = 3 if dims == "3" else 2
        mine, theirs = knobs[: len(self.pacmap.widgets)], knobs[len(self.pacmap.widgets) :]
        tools = {"pacmap": lambda: self.pacmap.read(mine, dims=axes), "umap": lambda: self.umap.read(theirs, dims=axes)}
        tool = tools[method]() if method in tools else PCA(dims=axes)
        if view is None or view.asked.plan.world != session.world:
            plan, line = first_plan(self.atlas.desk, session)
            return Asked(plan, tool, first_shade(plan, session), "nothing", bool(bits)), line
        if source is None or count is None:  # the first map's choices are still on their way to the controls
            return view.asked, view.line
        line = view.line if (source, count) == (view.asked.plan.source, view.asked.plan.count) else ""
        plan = Plan(session.world, space, source, count)
        shade = Shade(kind, session.classifier if kind in JUDGED else "", (detail or "") if kind == "attribute" else "")
        self.check(plan, shade)
        return Asked(plan, tool, shade, overlay if overlay in OVERLAYS else "nothing", bool(bits)), line

    def check(self, plan: Plan, shade: Shade) -> None:
        """Refuses what is not among the choices."""
        store = self.atlas.desk.store
        known("space", plan.space, [*store.models(plan.world), *store.classifiers(plan.world)])
        if plan.source not in [key for _, key in SOURCES] or plan.count not in COUNTS or shade.kind not in SHADES:
            raise UserError("The map's controls say something that is not on them; reload the page.")

    def again(self, seen: bool, session: Session | None, view: View | None, extra: Extra | None, *values: Any):
        """At a hand on the controls: what had failed is tried again."""
        return self._look(session, view, extra, values, again=True)

    def look(self, seen: bool, session: Session | None, view: View | None, extra: Extra | None, *values: Any):
        """From time to time, while the map is in sight."""
        return self._look(session, view, extra, values, again=False) if seen else [gr.skip()] * OUTPUTS

    def _look(
        self, session: Session | None, view: View | None, extra: Extra | None, values: Sequence[Any], again: bool
    ) -> list[Any]:
        """The figure and its numbers, where there is something new to show."""
        if session is None:
            return [gr.skip()] * OUTPUTS
        try:
            asked, line = self.asked(session, view, values)
        except UserError as error:
            return [*[gr.skip()] * 4, show.note(str(error)), *[gr.skip()] * (OUTPUTS - 5)]
        fresh = view is None or view.asked.plan.world != session.world
        sight = self.atlas.look(asked.plan, asked.tool, asked.shade, again)
        top = extra if extra is not None and extra.plan == asked.plan else Extra(asked.plan)
        drawn = (asked.plan, *sight.shown, session.selection, top.here, top.overlay)
        picture, rows = gr.skip(), view.rows if view else ()
        if sight.layout is not None and (view is None or drawn != view.drawn):
            picture, rows = chart.figure(sight, asked.plan, session.selection, top.here, top.overlay)
        return [
            View(asked, drawn if sight.layout is not None else (), tuple(rows), line),
            picture,
            f'<p class="ll-quiet" role="status">{text(sight.pending)}</p>',
            gr.update(interactive=bool(sight.pending)),
            show.note(sight.why or top.why or line),
            survey.numbers(sight, top.here, top.overlay),
            due(asked, session) if sight.ground is not None else "",
            *(begin(self.page, session, asked) if fresh else [gr.skip()] * CONTROLS),
        ]

    def measure(self, session: Session | None, view: View | None, extra: Extra | None, wanted: str) -> Any:
        """What lies on top: the workbench's picture, and the overlay that was asked for."""
        if session is None or view is None or not wanted or (extra is not None and extra.due == wanted):
            return gr.skip()
        asked, atlas = view.asked, self.atlas
        ground = atlas.look(asked.plan, asked.tool, asked.shade).ground
        if ground is None or asked.plan.world != session.world:
            return gr.skip()
        here, why, laid = drifts.here(atlas, session, asked.plan, ground), "", None
        try:
            match asked.overlay:
                case "moves":
                    laid = drifts.moves(atlas, session, asked.plan, ground, asked.bits)
                case "path":
                    laid = tuple(drifts.paths(atlas, session, asked.plan, ground))
                case "pairs":
                    laid = drifts.pairs(session, asked.plan, ground)
        except UserError as error:
            why = str(error)
        return Extra(asked.plan, wanted, here, laid, why)

    def cancel(self, view: View | None) -> None:
        if view is not None:
            self.atlas.cancel(view.asked.plan, view.asked.tool, view.asked.shade)

    def take(self, session: Session, points: list[tuple[int, int]], view: View | None) -> Session:
        """The picture of a point to the workbench; a click on what lies on top changes nothing."""
        rows = chart.rows_of(view.rows, points) if view else []
        if view is None or not rows:
            return session
        return verbs.put(self.atlas.desk, session, found(self.atlas.desk, view.asked.plan, rows[0]))

    def lasso(self, session: Session, points: list[tuple[int, int]], view: View | None, target: str) -> Session:
        if view is None:
            return session
        rows = chart.rows_of(view.rows, points)
        if not rows:
            raise UserError("There are no points in this frame; draw around some, or zoom in.")
        return drifts.lassoed(session, view.asked.plan, rows, target == "second")

    def put_away(self, session: Session) -> Session:
        held = session.selection
        return session if not (held.rows or held.others) else replace(session, selection=Selection(), notice="")


def first_shade(plan: Plan, session: Session) -> Shade:
    """The true class where there is one, else the classifier's, else clusters."""
    attribute = session.classifier.partition(":")[2]
    if plan.source != "drawn":
        return Shade("attribute", detail=attribute) if attribute else Shade("label")
    return Shade("prediction", session.classifier) if session.classifier else Shade("cluster")


def begin(page: Page, session: Session, asked: Asked) -> list[Any]:
    """The controls for another world: what there is to choose, and what is chosen first."""
    desk, world = page.desk, session.world
    models = [(show.short(desk, name, world), name) for name in desk.store.models(world)]
    nets = {base_of(name): name for name in reversed(desk.store.classifiers(world))}
    nets[base_of(session.classifier)] = session.classifier
    features = [(f"features of {base.removeprefix(f'{world}-')}", name) for base, name in nets.items() if name]
    attributes = [name.partition(":")[2] for name in desk.store.classifiers(world) if ":" in name]
    first = asked.shade.detail or next(iter(attributes), None)
    kinds = [kind for kind in SHADES if kind != ("label" if attributes else "attribute")]
    return [
        gr.update(choices=[*features, *models], value=asked.plan.space),
        asked.plan.source,
        asked.plan.count,
        gr.update(choices=kinds, value=asked.shade.kind),
        gr.update(choices=attributes, value=first, visible=bool(attributes)),
        "nothing",
    ]


def base_of(classifier: str) -> str:
    """The network of one of its outputs."""
    return classifier.partition(":")[0]


def due(asked: Asked, session: Session) -> str:
    """Changes when what lies on top must be computed anew."""
    pictures = (session.source.name or session.source.origin, id(session.source.image), id(session.result.image))
    attack = id(session.track) if session.track else 0
    held = hash(session.selection) if asked.overlay in ("moves", "pairs") else 0
    return f"{asked.plan} {asked.overlay} {asked.bits} {session.model} {session.seed} {pictures} {attack} {held}"


def picture(page: Page, asked: Any) -> dict[str, str] | None:
    """The picture of a point under the hand; None where the question makes no sense."""
    if not isinstance(asked, dict) or asked.get("world") not in page.desk.store.worlds:
        return None
    try:
        plan = Plan(asked["world"], "", asked.get("source", "test"), COUNTS[-1])
        shown = found(page.desk, plan, INDEX.check(asked.get("row")))
    except UserError:
        return None
    labels = ", ".join(sorted(map(show.name, shown.labels or ()))[:4])
    return {"src": uri(shown.image[0]), "text": " · ".join(filter(None, [labels, shown.origin]))}

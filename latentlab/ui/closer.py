"""Under the stage, one thing at a time: the path of the move, the same move elsewhere, what moved."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import gradio as gr

from latentlab import session as verbs
from latentlab.errors import UserError
from latentlab.operators import Adversary
from latentlab.session import Desk, Session, attack, course, elsewhere, heat, path_of, remembered
from latentlab.session.attack import at_step
from latentlab.session.path import places_of
from latentlab.ui import away, bench, show, widgets
from latentlab.ui.course import beside, figure, leaves, maps
from latentlab.ui.film import film
from latentlab.ui.form import modes, switched
from latentlab.ui.plot import PlotlyView, points
from latentlab.ui.wiring import QUEUE, Page, kept, nothing, on, stream, wired

VIEWS = {"path": "path", "beside": "side by side", "heat": "what moved"}
HIGH = 176  # px
ALONG = "probability of each class along the path"
SAME = "Every space moves the picture as far as this one does; off, and for mixes and attacks: with the same knobs."


class Closer:
    """The panel's parts; Gradio's components are made here and placed by `build`."""

    def __init__(self, page: Page) -> None:
        self.page = page
        with gr.Column(elem_id="closer"):
            with gr.Row(elem_id="closer-head"):
                self.view = modes(VIEWS, "closer")
                self.same = gr.Checkbox(True, label="same distance", info=SAME, elem_id="closer-same", visible=False)
                with gr.Column(min_width=0) as films:
                    self.save = away.offered(page, away.FILMS, "save as", elem_id="films")
            with gr.Row(elem_id="closer-path") as path:
                page.film.render()
                with gr.Column(elem_id="course-side", min_width=240):
                    self.plot = PlotlyView(height=HIGH, label=ALONG, elem_id="course")
                    self.said = gr.HTML(elem_id="course-note")
            with gr.Column(elem_id="closer-beside", visible=False) as others:
                self.others = widgets.choices(elem_id="beside")
            with gr.Column(elem_id="closer-heat", visible=False) as moved:
                self.moved = gr.HTML(elem_id="heat")
            self.note = gr.HTML(elem_id="closer-note")
        switched(self.view, {"path": path, "beside": others, "heat": moved})
        self.view.change(
            lambda view: [gr.update(visible=view == "beside"), gr.update(visible=view == "path")],
            self.view,
            [self.same, films],
            queue=False,
            show_progress="hidden",
            api_visibility="private",
        )

    def wire(self, opening: gr.HTML) -> None:
        """When the pictures have come to rest: the panel, what can be taken away, and the view remembered.

        What was said at the opening is gone with the next move.
        """
        page = self.page
        outputs = [page.film, self.others, self.moved, self.note]
        reads = [page.session, self.view, self.same]
        settled = wired(
            [page.stage.settled], self.settle, reads, [page.session, page.away, page.past, opening, *outputs]
        )
        looked = wired([self.view.input, self.same.input], self.shown, reads, outputs)
        for event in (*settled, *looked):
            event.then(self.curve, reads[:2], [self.plot, self.said], **HOW)
        running = stream(page, [page.stage.refine], self.refine, [], self.note, ((), nothing), mode="multiple")
        page.stage.halt(None, cancels=[running], api_visibility="private")
        on(page, [page.stage.halt, page.stage.undo], self.unrefined, [], self.note)
        on(page, [page.film.pick], self.jump, [], self.note, lambda: page.situation, widgets.picked)
        on(page, [self.plot.click], self.jump_to_point, [], self.note, lambda: page.situation, points)
        on(page, [self.others.pick], self.space, [], self.note, lambda: page.situation, widgets.picked)
        self.save(self.note)

    def settle(self, session: Session | None, view: str, same: bool) -> list[Any]:
        if session is None:
            return kept(range(8))
        session = remembered(with_track(self.page.desk, session))
        said = gr.skip() if session.notice else ""
        taken = away.away(self.page.desk, session)
        return [session, taken, bench.past(session), said, *self.shown(session, view, same)]

    def shown(self, session: Session | None, view: str, same: bool) -> list[Any]:
        """What the chosen view shows; the other two stay as they were."""
        if session is None:
            return kept(range(4))
        desk = self.page.desk
        if view == "beside":
            return [gr.skip(), beside(desk, session, elsewhere(desk, session, same is True)), gr.skip(), ""]
        if view == "heat":
            try:
                return [gr.skip(), gr.skip(), maps(heat(desk, session)), ""]
            except UserError as error:
                return [*kept(range(3)), show.note(str(error))]
        return [film(desk, session), gr.skip(), gr.skip(), ""]

    def curve(self, session: Session | None, view: str) -> list[Any]:
        """After the film, as it takes longer."""
        path = path_of(session.result.tool) if session else None
        if session is None or view != "path" or path is None:
            return kept(range(2))
        along = course(self.page.desk, session, path)
        return [figure(session, path, along), leaves(path, along)]

    def refine(self, session: Session) -> Iterator[Session]:
        return verbs.refine(self.page.desk, session)

    def unrefined(self, session: Session) -> Session:
        return verbs.unrefined(self.page.desk, session)

    def jump(self, session: Session, key: str) -> Session:
        try:
            place = float(key)
        except ValueError as error:
            raise UserError("This is no place on the path; click a picture of the strip.") from error
        if isinstance(session.result.tool, Adversary):
            return at_step(session, place)
        return verbs.jump(self.page.desk, session, place)

    def jump_to_point(self, session: Session, chosen: list[tuple[int, int]]) -> Session:
        path = path_of(session.result.tool)
        places = places_of(path) if path else []
        if not chosen or chosen[0][1] >= len(places):
            raise UserError("The path has changed since; click the curve again.")
        return verbs.jump(self.page.desk, session, places[chosen[0][1]])

    def space(self, session: Session, key: str) -> Session:
        return verbs.choose(self.page.desk, replace(session, notice=""), model=key)


def with_track(desk: Desk, session: Session) -> Session:
    """An attack that was repeated on another picture gets its steps, too."""
    tool = session.result.tool
    if not isinstance(tool, Adversary) or session.track is not None:
        return session
    *_, last = attack(desk, session, tool)
    return last


HOW: dict[str, Any] = {
    "trigger_mode": "always_last",
    "show_progress": "hidden",
    "api_visibility": "private",
    **QUEUE,
}

"""The panel under the stage, one thing at a time: the path of the move, the same move elsewhere, what moved."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import gradio as gr

from latentlab import session as verbs
from latentlab.errors import UserError
from latentlab.operators import Attack
from latentlab.session import (
    Session,
    Workspace,
    compare_spaces,
    measure_latent_change,
    predict_path,
    remember_view,
    trace_attack,
)
from latentlab.session.attack.trace import show_step
from latentlab.session.paths import list_path_places
from latentlab.ui import components
from latentlab.ui.events import NO_LANE, connect_action, connect_events, connect_stop, connect_stream
from latentlab.ui.form import connect_mode_forms, make_mode_choice
from latentlab.ui.page_parts import Page, Painted
from latentlab.ui.plotly_view import PlotlyView, read_event_points
from latentlab.ui.stage import export_menu
from latentlab.ui.stage.filmstrip import draw_filmstrip
from latentlab.ui.stage.path_plot import draw_heat_maps, draw_manifold_note, draw_path_plot, draw_spaces
from latentlab.ui.stage.second_reader import draw_second_note
from latentlab.ui.stage.view import draw_note, draw_view_mark
from latentlab.ui.workbench.view import draw_history

DETAIL_VIEWS = {"path": "path", "beside": "side by side", "heat": "what moved"}
PATH_PLOT_HEIGHT = 176  # px
PATH_PLOT_LABEL = "probability of each class along the path"
SAME_DISTANCE_HELP = (
    "Every space moves the picture as far as this one does; off, and for mixes and attacks: with the same knobs."
)


class DetailsPanel:
    """The panel's parts; Gradio's components are made here, and their events are wired by `wire_events`."""

    def __init__(self, page: Page) -> None:
        self.page = page
        with gr.Column(elem_id="closer"):
            with gr.Row(elem_id="closer-head"):
                self.view = make_mode_choice(DETAIL_VIEWS, "closer")
                self.same = gr.Checkbox(
                    True, label="same distance", info=SAME_DISTANCE_HELP, elem_id="closer-same", visible=False
                )
                with gr.Column(min_width=0) as self.films:
                    self.save = export_menu.place_file_offers(
                        page, export_menu.ANIMATION_KINDS, "save as", elem_id="films"
                    )
            with gr.Row(elem_id="closer-path") as path:
                page.filmstrip.render()
                with gr.Column(elem_id="course-side", min_width=240):
                    self.plot = PlotlyView(height=PATH_PLOT_HEIGHT, label=PATH_PLOT_LABEL, elem_id="course")
                    self.said = gr.HTML(elem_id="course-note")
            with gr.Column(elem_id="closer-beside", visible=False) as others:
                self.others = components.make_choices(elem_id="beside")
            with gr.Column(elem_id="closer-heat", visible=False) as moved:
                self.moved = gr.HTML(elem_id="heat")
            self.note = gr.HTML(elem_id="closer-note")
        connect_mode_forms(self.view, {"path": path, "beside": others, "heat": moved})
        connect_events(
            [self.view.change], self.show_controls, {"view": self.view}, [self.same, self.films], lane=NO_LANE
        )

    def show_controls(self, view: str) -> Painted:
        """Show the controls of the chosen view alone."""
        return {self.same: gr.update(visible=view == "beside"), self.films: gr.update(visible=view == "path")}

    def wire_events(self, opening: gr.HTML) -> None:
        """Wire the panel: when the pictures come to rest, show it and what can be taken away, and remember the view.

        What was said at the opening is gone with the next move.
        """
        page = self.page
        self._wire_views(opening)
        running = connect_stream(page, [page.stage.refine], self.refine_encoding, {}, self.note, mode="multiple")
        connect_stop(page.stage.halt, running)
        connect_action(page, [page.stage.halt, page.stage.undo], self.undo_refinement, {}, self.note)
        for trigger, verb, event in (
            (page.filmstrip.pick, self.jump_to_place, components.read_event_key),
            (self.plot.click, self.jump_to_point, read_event_points),
            (self.others.pick, self.choose_space, components.read_event_key),
        ):
            connect_action(page, [trigger], verb, {}, self.note, lambda: page.situation_follower, event)
        self.save(self.note)

    def _wire_views(self, opening: gr.HTML) -> None:
        """Wire what is shown when the pictures come to rest, and when another view is chosen."""
        page, outputs = self.page, [self.page.filmstrip, self.others, self.moved, self.note]
        reads = {"session": page.session, "view": self.view, "same": self.same}

        def settle_view(session: Session | None, view: str, same: bool) -> Painted:
            """Remember the view, and show it in the panel, the export menu and the last views."""
            if session is None:
                return {}
            kept = remember_view(add_missing_track(page.workspace, session))
            return {
                page.session: kept,
                page.export_menu: export_menu.draw_export_menu(page.workspace, kept),
                page.history: draw_history(kept),
                **({} if kept.notice else {opening: ""}),
                **self.show_view(kept, view, same),
            }

        everything = [page.session, page.export_menu, page.history, opening, *outputs]
        (settled,) = connect_events([page.stage.settled], settle_view, reads, everything)
        (looked,) = connect_events([self.view.input, self.same.input], self.show_view, reads, outputs)
        plotted = {"session": page.session, "view": self.view}
        for done in (settled, looked):
            connect_events([done.then], self.show_path_plot, plotted, [self.plot, self.said])
        for connect_listener in page.settled_listeners:
            connect_listener(settled.then)

    def show_view(self, session: Session | None, view: str, same: bool) -> Painted:
        """Return what the chosen view shows; the other two stay as they were."""
        if session is None:
            return {}
        workspace = self.page.workspace
        if view == "beside":
            spaces = compare_spaces(workspace, session, same is True)
            return {self.others: draw_spaces(workspace, session, spaces), self.note: ""}
        if view == "heat":
            try:
                return {self.moved: draw_heat_maps(measure_latent_change(workspace, session)), self.note: ""}
            except UserError as error:
                return {self.note: draw_note(str(error))}
        return {self.page.filmstrip: draw_filmstrip(workspace, session), self.note: ""}

    def show_path_plot(self, session: Session | None, view: str) -> Painted:
        """Return the path's plot and the note beside it: after the filmstrip, as they take longer."""
        path = session.result.tool.make_path() if session else None
        if session is None or view != "path" or path is None:
            return {}
        along = predict_path(self.page.workspace, session, path)
        words = draw_view_mark(session) + draw_manifold_note(path, along) + draw_second_note(path, along)
        return {self.plot: draw_path_plot(session, path, along), self.said: words}

    def refine_encoding(self, session: Session) -> Iterator[Session]:
        """Refine the encoding step by step."""
        return verbs.refine_encoding(self.page.workspace, session)

    def undo_refinement(self, session: Session) -> Session:
        """Go back to the encoder's own encoding."""
        return verbs.use_plain_encoding(self.page.workspace, session)

    def jump_to_place(self, session: Session, key: str) -> Session:
        """Go to the place of the path, or to the step of the attack, whose picture was clicked."""
        try:
            place = float(key)
        except ValueError as error:
            raise UserError("This is no place on the path; click a picture of the strip.") from error
        if isinstance(session.result.tool, Attack):
            return show_step(session, place)
        return verbs.move_along_path(self.page.workspace, session, place)

    def jump_to_point(self, session: Session, chosen: list[tuple[int, int]]) -> Session:
        """Go to the place of the path whose point was clicked."""
        path = session.result.tool.make_path()
        places = list_path_places(path) if path else []
        if not chosen or chosen[0][1] >= len(places):
            raise UserError("The path has changed since; click the curve again.")
        return verbs.move_along_path(self.page.workspace, session, places[chosen[0][1]])

    def choose_space(self, session: Session, key: str) -> Session:
        """Choose the space in which the same move was clicked."""
        return verbs.choose_networks(self.page.workspace, replace(session, notice=""), model=key)


def add_missing_track(workspace: Workspace, session: Session) -> Session:
    """Give an attack that was repeated on another picture its steps, too."""
    tool = session.result.tool
    if not isinstance(tool, Attack) or session.trace is not None:
        return session
    *_, last = trace_attack(workspace, session, tool)
    return last

"""The tab Audit: is the move on the page safe for these images? An audit is a run like any other."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import Any

import gradio as gr
from gradio.processing_utils import save_bytes_to_cache

from latentlab.auditing import Audit
from latentlab.auditing.report_figures import draw_kept_by_distance
from latentlab.auditing.report_files import BROKEN_FILE, REPORT_FILE
from latentlab.auditing.report_table import read_sort_script
from latentlab.auditing.result import AuditResult, read_result
from latentlab.errors import UserError
from latentlab.knobs import list_settings
from latentlab.operators import METHODS
from latentlab.runs import Run, Runs
from latentlab.session import Session
from latentlab.session.runs import audit as verbs
from latentlab.session.runs.progress import EventReader
from latentlab.ui import components, run_owner
from latentlab.ui.components import read_event_key
from latentlab.ui.events import FREE_LANE, Reads, connect_action, connect_events, connect_script
from latentlab.ui.form import Form, Knobs, to_knob_value
from latentlab.ui.page_parts import Follower, Page, Painted
from latentlab.ui.plotly_view import PlotlyView
from latentlab.ui.scripts import load_script
from latentlab.ui.stage.export_menu import FETCH_SCRIPT, draw_file_offers
from latentlab.ui.stage.view import draw_note
from latentlab.ui.tabs.audit.directions_view import draw_audit_directions
from latentlab.ui.tabs.audit.view import WAITING_NOTE, draw_audit_moves, draw_audit_table
from latentlab.ui.tabs.compare.tab import AUTOMATIC_LABEL, label_classifiers
from latentlab.ui.tabs.run_board import RunBoard
from latentlab.ui.tabs.train.tab import TRAINING_OFF_NOTE, require_session

TITLE, KEY = "Audit", "audit"
PURPOSE = "Try the move on hundreds of pictures: which labels it keeps, how far it may go, which pictures break."
AUDIT_FRONT_KNOBS = ("images", "half", "keep")
AUDIT_FOLDED_KNOBS = ("batch", "reach", "directions", "distance", "epochs", "seed")
FIRST_IMAGES, FIRST_DIRECTED = 200, 50  # on the page: enough to see, soon enough to wait for
NO_AUDIT_NOTE = "No audit yet. Audit the move on the page: it goes on when you close the page."
REPORT_KINDS = {
    "report": ("Report", "One HTML file that opens alone, with every figure and picture."),
    "zip": ("Broken pictures", "A zip of every image whose label is lost, original and moved, and a table of them."),
}
NO_FILE_NOTE = "The files are written when the audit has ended; where no label is lost there is no zip."
KIND_FILES = {"report": REPORT_FILE, "zip": BROKEN_FILE}


def build_audit_tab(page: Page, tab: gr.Tab) -> None:
    if page.workspace.runs is None:
        gr.HTML(f'<p class="ll-quiet">{TRAINING_OFF_NOTE}</p>')
        return
    AuditTab(page, tab, page.workspace.runs)


class AuditTab:
    """The tab: widgets come first, events last."""

    def __init__(self, page: Page, tab: gr.Tab, runs: Runs) -> None:
        self.page, self.workspace, self.runs = page, page.workspace, runs
        reader = EventReader(runs, (), verbs.join_audit_events)
        self.board = RunBoard(page, runs, KEY, "audit", reader, (), NO_AUDIT_NOTE)
        self.made = count(1)  # reports
        self._build_form()
        with self.board.lay_out():
            sorting = f"{read_sort_script()}sortTables(element);"
            self.table = gr.HTML(elem_id="audit-table", js_on_load=sorting)
            self.curve = PlotlyView(height=260, label="labels kept over image distance", elem_id="audit-curve")
            self.moves = gr.HTML(elem_id="audit-moves", js_on_load=load_script("live_list.js"))
            picking = load_script("live_list.js")
            self.directions = gr.HTML(elem_id="audit-directions", js_on_load=f"{picking}\n{sorting}")
            self.file = components.make_file_offers(draw_file_offers(REPORT_KINDS), elem_id="audit-file")
        self.pick_note = gr.HTML(elem_id="audit-pick-note")
        page.add_follower(self.world_follower)
        self._wire_events(tab)

    def _build_form(self) -> None:
        names = [setting.name for setting in list_settings(Audit)]
        with gr.Row(elem_classes="ll-bank", elem_id="audit-form"):
            self.methods = gr.Dropdown(
                list(METHODS),
                multiselect=True,
                label="beside it",
                info="other moves, each by itself",
                elem_id="audit-beside",
            )
            self.judge = gr.Dropdown([], label="judge", info="not the classifier under test", elem_id="audit-judge")
            self.front = Form(Audit, skip=[n for n in names if n not in AUDIT_FRONT_KNOBS], prefix="audit")
            self.front.widgets["images"].value = FIRST_IMAGES
        with gr.Accordion("How it is measured", open=False, elem_id="audit-more"), gr.Row(elem_classes="ll-bank"):
            self.folded = Form(Audit, skip=[n for n in names if n not in AUDIT_FOLDED_KNOBS], prefix="audit")
            self.folded.widgets["directions"].value = FIRST_DIRECTED
            self.selected = gr.Checkbox(False, label="only the selection", elem_id="audit-selected")
        with gr.Row(elem_classes="ll-actions"):
            self.go = gr.Button("Audit this move", variant="primary", elem_id="audit-go", size="sm")
            self.note = gr.HTML(elem_id="audit-note")

    @property
    def world_follower(self) -> Follower:
        return Follower([self.judge], self.follow_world)

    def follow_world(self, session: Session) -> Painted:
        """Return the judges of the world."""
        labels = label_classifiers(self.workspace.store.list_classifiers(session.world), {})
        return {self.judge: gr.update(choices=[(AUTOMATIC_LABEL, ""), *labels], value="")}

    def _wire_events(self, tab: gr.Tab) -> None:
        page, board, looking = self.page, self.board, self.board.looking
        token: Reads = {"token": page.owner}
        connect_events([tab.select], self.open_tab, token, [board.timer], lane=FREE_LANE, mode="once")
        asked: Reads = {
            "session": page.session,
            **token,
            "methods": self.methods,
            "judge": self.judge,
            "selected": self.selected,
            "knobs": {**self.front.widgets, **self.folded.widgets},
        }
        shown = [self.table, self.curve, self.moves, self.directions]
        board.wire_events(shown, self.paint_audit, self.go.click, self.submit_audit, asked, self.note)
        connect_action(
            page,
            [self.moves.pick, self.directions.pick],
            self.take_pick,
            looking,
            self.pick_note,
            lambda: page.situation_follower,
            read_event_key,
        )
        fetched = [self.file, page.file, self.pick_note]
        (made,) = connect_events(
            [self.file.pick], self.fetch_file, looking, fetched, self.pick_note, read_event_key, lane=FREE_LANE
        )
        connect_script(made.then, FETCH_SCRIPT)

    # what the events do; every value comes from a visitor

    def open_tab(self, token: Any) -> Painted:
        return {self.board.timer: gr.Timer(active=True)} if run_owner.has_token(token) else {}

    def paint_audit(self, run: Run | None, events: Sequence[Any], token: str) -> Painted:
        try:
            result = read_result(list(events)) if run else None
        except UserError:  # its first chunk is not there yet
            result = None
        if result is None:
            waiting = WAITING_NOTE if run and run.is_active else ""
            return {self.table: waiting, self.moves: "", self.directions: "", self.curve: None}
        return {
            self.table: draw_audit_table(result),
            self.curve: draw_kept_by_distance(result),
            self.moves: draw_audit_moves(self.workspace, result),
            self.directions: draw_audit_directions(self.workspace, result),
        }

    def submit_audit(
        self, session: Session | None, token: Any, methods: Any, judge: Any, selected: Any, knobs: Knobs
    ) -> Run:
        """Put the audit of the move on the page into the queue."""
        ready = require_session(session)
        plain = {name: to_knob_value(value) for name, value in knobs.items()}
        config = verbs.make_audit_config(ready, tuple(methods or ()), str(judge or ""), bool(selected), plain)
        title = f"{ready.result.tool.write_caption()}, {config.images:,} images"
        more = f" +{len(config.moves) - 1}" if len(config.moves) > 1 else ""
        return self.board.submit_run(config, title + more, token)

    def read_chosen_result(self, token: Any, chosen: Any) -> AuditResult:
        run = self.board.find_chosen_run(token, chosen)
        if run is None:
            raise UserError("There is no audit here; start one first.")
        return read_result(list(self.board.reader.read_run(run.id, token)[1]))

    def take_pick(self, session: Session, key: str, chosen: Any, token: Any) -> Session:
        """Set the limit, leave the broken images out, or open one on the workbench."""
        deed, _, rest = key.partition(":")
        place, _, row = rest.partition(":")
        result = self.read_chosen_result(token, chosen)
        if deed == "along" and row[:9].isdecimal():
            space, ranked = verbs.find_ranked_direction(result, place)
            return verbs.open_along_direction(self.workspace, session, result, space, ranked, int(row[:9]))
        if deed == "choice":
            return verbs.set_choice(self.workspace, session, result, *verbs.find_tried_choice(result, place))
        move = verbs.find_audited_move(result, place)
        if deed == "limit":
            return verbs.set_limit(self.workspace, session, result, move)
        if deed == "leave":
            return verbs.leave_out_broken(self.workspace, session, result, move)
        if deed != "open" or not row[:9].isdecimal():
            raise UserError("There is no such image here; click one of those shown.")
        return verbs.open_audited_image(self.workspace, session, result, move, int(row[:9]))

    def fetch_file(self, key: str, token: Any, chosen: Any) -> Painted:
        offered: Painted = {self.file: draw_file_offers(REPORT_KINDS, stamp=next(self.made))}
        run = self.board.find_chosen_run(token, chosen)
        path = self.runs.find_folder(run.id, token) / KIND_FILES[key] if run and key in KIND_FILES else None
        if path is None or not path.is_file():
            return {**offered, self.page.file: None, self.pick_note: draw_note(NO_FILE_NOTE)}
        data = save_bytes_to_cache(path.read_bytes(), path.name, self.page.file.GRADIO_CACHE)
        return {**offered, self.page.file: data, self.pick_note: ""}

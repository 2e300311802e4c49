"""The workbench, always in sight: the pictures in hand, where they come from, how every model rebuilds them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr

from latentlab import session as verbs
from latentlab.errors import UserError
from latentlab.models import KINDS
from latentlab.session import DRAW_SETTING, INDEX_SETTING, SEED_SETTING, TEMPERATURE_SETTING, Session, Workspace
from latentlab.ui.components import (
    draw_crop_frame,
    make_choices,
    make_cropper,
    make_drop_place,
    make_recipe_button,
    read_event_box,
    read_event_key,
    read_event_text,
)
from latentlab.ui.events import connect_action
from latentlab.ui.form import make_knob_widget, make_number_box
from latentlab.ui.html import spell_name
from latentlab.ui.page_parts import Page, join_followers, make_follower
from latentlab.ui.stage.view import draw_thumbnails

SECOND_HELP = "another classifier that reads every picture beside the first"
NO_SECOND = ("none", "")
ROWS_HELP = "numbers and ranges: 0-63, 70; of drawn samples their seeds"


def build_workbench(page: Page) -> None:
    """Build the workbench: widgets first, events last."""
    gr.HTML("<h2>Picture</h2>")
    page.slots.render()
    examples = make_choices(elem_id="examples", elem_classes="ll-examples")
    dropped, recipe, crop = (
        make_drop_place(elem_id="drop"),
        make_recipe_button(elem_id="recipe"),
        make_cropper(elem_id="crop"),
    )
    note = gr.HTML(elem_id="bench-note")
    with gr.Accordion("Draw from the prior", open=False, elem_id="draw-from"):
        temperature = make_knob_widget(TEMPERATURE_SETTING, "draw")
        with gr.Row(elem_classes="ll-pair"):
            drawn, draw = make_number_box(DRAW_SETTING, "draw"), gr.Button("Draw", elem_id="draw", size="sm")
    with gr.Accordion("Take from the data set", open=False, elem_id="take-from"), gr.Row(elem_classes="ll-pair"):
        index, take = make_number_box(INDEX_SETTING, "data"), gr.Button("Take", elem_id="take", size="sm")
    with gr.Accordion("Select many", open=False, elem_id="select-from"):
        source = gr.Radio(["test", "train", "drawn"], value="test", label="from", elem_id="many-source")
        with gr.Row(elem_classes="ll-pair"):
            rows = gr.Textbox("0-31", label="rows", info=ROWS_HELP, max_length=200, elem_id="many-rows", min_width=100)
            many = gr.Button("Select", elem_id="many", size="sm")
    page.selection.render()
    second = gr.Dropdown([], label="second reader", info=SECOND_HELP, elem_id="second", interactive=True)
    seed = make_number_box(SEED_SETTING, "bench")
    gr.HTML("<h2>Last views</h2>")
    page.history.render()
    gr.HTML("<h2>Rebuilt by each model</h2>")
    page.models.render()

    workspace, bench = page.workspace, WorkbenchActions(page.workspace)
    framed = make_follower(crop, lambda session: draw_crop_frame(session.photo))
    lit = make_follower(examples, lambda s: draw_thumbnails(workspace.list_examples(s.world), s.source))
    readers = make_follower(second, bench.show_second)
    for follower in (lit, make_follower(seed, lambda session: session.seed), framed, readers):
        page.add_follower(follower)
    new = join_followers(page.picture_follower, framed, lit)
    after_draw = join_followers(new, make_follower(drawn, lambda session: session.drawn + 1))

    connect_choices(page, bench, recipe, note)
    connect_action(page, [many.click, rows.submit], bench.select_many, {"source": source, "rows": rows}, note)
    connect_action(page, [examples.pick], bench.put_example, {}, note, new, read_event_key)
    connect_action(
        page, [dropped.input], bench.open_file, {"path": dropped}, note, lambda: page.situation_follower, clear=dropped
    )
    cropped = join_followers(page.picture_follower, lit)
    connect_action(page, [crop.crop], bench.crop_photo, {}, note, cropped, read_event_box)
    drawing = {"seed": drawn, "temperature": temperature}
    connect_action(page, [draw.click, drawn.submit], bench.draw_sample, drawing, note, after_draw)
    connect_action(page, [take.click, index.submit], bench.take_row, {"index": index}, note, new)
    connect_action(page, [seed.input], bench.change_seed, {"seed": seed}, note)
    connect_action(page, [second.input], bench.choose_second, {"name": second}, note)


def connect_choices(page: Page, bench: WorkbenchActions, recipe: gr.HTML, note: gr.HTML) -> None:
    """Connect the choices after which everything may be another."""
    for trigger, verb, event in (
        (page.selection.pick, bench.pick_selected, read_event_key),
        (page.slots.pick, bench.use_slot, read_event_key),
        (recipe.recipe, bench.open_recipe, read_event_text),
        (page.history.pick, bench.return_to_view, read_event_key),
        (page.models.pick, bench.choose_space, read_event_key),
    ):
        connect_action(page, [trigger], verb, {}, note, lambda: page.situation_follower, event)


class WorkbenchActions:
    """What the workbench's events do; every value comes from a visitor and is checked."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace

    def use_slot(self, session: Session, key: str) -> Session:
        """Pin, unpin or take up the reference, or say which slot the next picture fills."""
        match key:
            case "pin-input" | "pin-result":
                return verbs.pin_picture(session, key.removeprefix("pin-"), session.result.tool.write_caption())
            case "unpin":
                return verbs.remove_pin(session)
            case "pinned":
                return verbs.take_pinned(self.workspace, session)
        return replace(session, filling="partner" if key == "partner" else "input", notice="")

    def select_many(self, session: Session, source: Any, rows: Any) -> Session:
        """Select the rows of a source that a visitor wrote down."""
        return verbs.select_rows(self.workspace, session, str(source), verbs.parse_rows(str(rows)))

    def pick_selected(self, session: Session, key: str) -> Session:
        """Take one of the selection, or put the selection away."""
        if key == "clear":
            return verbs.select_rows(self.workspace, session, "test", ())
        return verbs.pick_picture(self.workspace, session, int(key) if key[:9].isdecimal() else -1)

    def put_example(self, session: Session, key: str) -> Session:
        """Take one of the world's examples."""
        known = self.workspace.list_examples(session.world)
        if not (key.isdecimal() and int(key) < len(known)):
            raise UserError(f"There is no example {key[:20]!r}; choose one of the {len(known)} shown.")
        return verbs.place_picture(self.workspace, session, known[int(key)])

    def open_file(self, session: Session, path: str | None) -> Session:
        """Open a picture, or an exported PNG, which brings its view back."""
        if path is None:
            return session
        data = Path(path).read_bytes()
        return verbs.restore_png(self.workspace, session, data) or verbs.receive_photo(self.workspace, session, data)

    def open_recipe(self, session: Session, text: str) -> Session:
        """Show the view of a recipe again."""
        return verbs.restore_recipe(self.workspace, session, text)

    def crop_photo(self, session: Session, box: tuple[float, float, float, float]) -> Session:
        """Use another part of the picture that was brought."""
        return verbs.crop_photo(self.workspace, session, box)

    def draw_sample(self, session: Session, seed: Any, temperature: Any) -> Session:
        """Draw a sample from the space's prior; where the space is pixels, from the world's drawing model."""
        number, heat = DRAW_SETTING.check_value(seed), TEMPERATURE_SETTING.check_value(temperature)
        draws = KINDS[self.workspace.store.card(session.model).kind].drawing_rank > 0
        model = session.model if draws else self.workspace.choose_drawing_model(session.world)
        return verbs.place_picture(
            self.workspace, replace(session, drawn=number), self.workspace.draw_sample(model, number, heat)
        )

    def take_row(self, session: Session, index: Any) -> Session:
        """Take a picture of the data set by its number."""
        return verbs.place_picture(
            self.workspace, session, self.workspace.load_row(session.world, INDEX_SETTING.check_value(index))
        )

    def change_seed(self, session: Session, seed: Any) -> Session:
        """Repeat the move with another seed."""
        return verbs.change_seed(self.workspace, session, SEED_SETTING.check_value(seed))

    def choose_second(self, session: Session, name: str | None) -> Session:
        """Let another classifier read beside the first, or nobody."""
        return verbs.choose_second_reader(self.workspace, session, name)

    def show_second(self, session: Session) -> Any:
        """Return the second readers that may be chosen, and the one that was."""
        names = verbs.list_second_readers(self.workspace, session)
        choices = [NO_SECOND, *((spell_name(name.removeprefix(f"{session.world}-")), name) for name in names)]
        value = session.second if session.second in names else ""
        return gr.update(choices=choices, value=value, visible=bool(names))

    def return_to_view(self, session: Session, key: str) -> Session:
        """Go back to one of the last views."""
        return verbs.go_back(self.workspace, session, int(key) if key[:9].isdecimal() else -1)

    def choose_space(self, session: Session, key: str) -> Session:
        """Choose the space whose rebuilding was clicked."""
        return verbs.choose_networks(self.workspace, session, model=key)

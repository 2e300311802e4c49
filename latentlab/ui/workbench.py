"""The workbench, always in sight: the pictures in hand, where they come from, how every model rebuilds them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr

from latentlab import session as verbs
from latentlab.errors import UserError
from latentlab.session import DRAW, INDEX, SEED, TEMPERATURE, Desk, Session
from latentlab.ui import show
from latentlab.ui.form import number, widget
from latentlab.ui.widgets import boxed, choices, crop_frame, cropper, drop, picked, recipes, written
from latentlab.ui.wiring import Page, joined, on

ROWS = "numbers and ranges: 0-63, 70; of drawn samples their seeds"


def build(page: Page) -> None:
    """Widgets first, events last."""
    gr.HTML("<h2>Picture</h2>")
    page.slots.render()
    examples = choices(elem_id="examples", elem_classes="ll-examples")
    dropped, recipe, crop = drop(elem_id="drop"), recipes(elem_id="recipe"), cropper(elem_id="crop")
    note = gr.HTML(elem_id="bench-note")
    with gr.Accordion("Draw from the prior", open=False, elem_id="draw-from"):
        temperature = widget(TEMPERATURE, "draw")
        with gr.Row(elem_classes="ll-pair"):
            drawn, draw = number(DRAW, "draw"), gr.Button("Draw", elem_id="draw", size="sm")
    with gr.Accordion("Take from the data set", open=False, elem_id="take-from"), gr.Row(elem_classes="ll-pair"):
        index, take = number(INDEX, "data"), gr.Button("Take", elem_id="take", size="sm")
    with gr.Accordion("Select many", open=False, elem_id="select-from"):
        source = gr.Radio(["test", "train", "drawn"], value="test", label="from", elem_id="many-source")
        with gr.Row(elem_classes="ll-pair"):
            rows = gr.Textbox("0-31", label="rows", info=ROWS, max_length=200, elem_id="many-rows", min_width=100)
            many = gr.Button("Select", elem_id="many", size="sm")
    page.chosen.render()
    seed = number(SEED, "bench")
    gr.HTML("<h2>Last views</h2>")
    page.past.render()
    gr.HTML("<h2>Rebuilt by each model</h2>")
    page.models.render()

    desk, bench = page.desk, Bench(page.desk)
    framed = ([crop], lambda session: [crop_frame(session.photo)])
    page.follow([examples, seed], lambda s: [show.thumbs(desk.examples(s.world), s.source), s.seed])
    page.follow(*framed)
    lit = ([examples], lambda s: [show.thumbs(desk.examples(s.world), s.source)])
    new = joined(page.picture, framed, lit)
    on(page, [many.click, rows.submit], bench.many, [source, rows], note)
    on(page, [page.chosen.pick], bench.chosen, [], note, lambda: page.situation, picked)
    after_draw = joined(new, ([drawn], lambda s: [s.drawn + 1]))
    on(page, [page.slots.pick], bench.slot, [], note, lambda: page.situation, picked)
    on(page, [examples.pick], bench.example, [], note, new, picked)
    on(page, [dropped.input], bench.dropped, [dropped], note, lambda: page.situation, clear=dropped)
    on(page, [recipe.recipe], bench.recipe, [], note, lambda: page.situation, written)
    on(page, [crop.crop], bench.cropped, [], note, joined(page.picture, lit), boxed)
    on(page, [draw.click, drawn.submit], bench.draw, [drawn, temperature], note, after_draw)
    on(page, [take.click, index.submit], bench.take, [index], note, new)
    on(page, [seed.input], bench.reseed, [seed], note)
    on(page, [page.past.pick], bench.back, [], note, lambda: page.situation, picked)
    on(page, [page.models.pick], bench.space, [], note, lambda: page.situation, picked)


class Bench:
    """What the workbench's events do; every value comes from a visitor and is checked."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def slot(self, session: Session, key: str) -> Session:
        match key:
            case "pin-input" | "pin-result":
                return verbs.pin(session, key.removeprefix("pin-"), show.caption(session.result.tool))
            case "unpin":
                return verbs.unpin(session)
            case "pinned":
                return verbs.take_pinned(self.desk, session)
        return replace(session, filling="partner" if key == "partner" else "input", notice="")

    def many(self, session: Session, source: Any, rows: Any) -> Session:
        return verbs.select(self.desk, session, str(source), verbs.rows_of(str(rows)))

    def chosen(self, session: Session, key: str) -> Session:
        """One of the selection, or the selection put away."""
        if key == "clear":
            return verbs.select(self.desk, session, "test", ())
        return verbs.pick(self.desk, session, int(key) if key[:9].isdecimal() else -1)

    def example(self, session: Session, key: str) -> Session:
        known = self.desk.examples(session.world)
        if not (key.isdecimal() and int(key) < len(known)):
            raise UserError(f"There is no example {key[:20]!r}; choose one of the {len(known)} shown.")
        return verbs.put(self.desk, session, known[int(key)])

    def dropped(self, session: Session, path: str | None) -> Session:
        """A picture, or an exported PNG, which brings its view back."""
        if path is None:
            return session
        data = Path(path).read_bytes()
        return verbs.restore(self.desk, session, data) or verbs.receive(self.desk, session, data)

    def recipe(self, session: Session, text: str) -> Session:
        return verbs.restore_recipe(self.desk, session, text)

    def cropped(self, session: Session, box: tuple[float, float, float, float]) -> Session:
        return verbs.crop(self.desk, session, box)

    def draw(self, session: Session, seed: Any, temperature: Any) -> Session:
        number, heat = DRAW.check(seed), TEMPERATURE.check(temperature)
        pixels = self.desk.store.card(session.model).kind == "pixels"
        model = self.desk.drawing_model(session.world) if pixels else session.model
        return verbs.put(self.desk, replace(session, drawn=number), self.desk.draw(model, number, heat))

    def take(self, session: Session, index: Any) -> Session:
        return verbs.put(self.desk, session, self.desk.row(session.world, INDEX.check(index)))

    def reseed(self, session: Session, seed: Any) -> Session:
        return verbs.reseed(self.desk, session, SEED.check(seed))

    def back(self, session: Session, key: str) -> Session:
        return verbs.go_back(self.desk, session, int(key) if key[:9].isdecimal() else -1)

    def space(self, session: Session, key: str) -> Session:
        return verbs.choose(self.desk, session, model=key)

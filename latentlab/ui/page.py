"""The page: a header, the workbench at the side, the stage, and a tab for each way to move."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import gradio as gr

from latentlab.runs import Runs
from latentlab.session import Desk, Session, act, change_world, choose, open_link
from latentlab.store import Store
from latentlab.ui import api, away, owner, show, widgets, workbench
from latentlab.ui.closer import Closer
from latentlab.ui.tabs import attack, compare, explain, explore, learn, mix, toys, train
from latentlab.ui.tabs import map as atlas
from latentlab.ui.wiring import QUEUE, Page, on, timed

TABS = (explore, mix, attack, explain, atlas, train, compare, toys, learn)
SKIP = '<a class="ll-button ll-skip" href="#tabs">To the controls</a>'


def build(store: Store, runs: Runs | None = None) -> gr.Blocks:
    """The page of a store; launch it with `**theme.look()`."""
    desk = Desk(store, runs=runs)
    with gr.Blocks(title="LatentLab", analytics_enabled=False, fill_width=True) as blocks:
        page = Page(
            desk,
            session=gr.State(None),
            stage=widgets.stage(elem_id="stage", render=False),
            status=gr.HTML(elem_id="status", render=False),
            models=widgets.choices(elem_id="models", render=False),
            slots=widgets.choices(elem_id="slots", render=False),
            film=widgets.choices(elem_id="film", render=False),
            away=widgets.away(elem_id="away", render=False),
            past=widgets.choices(elem_id="past", elem_classes="ll-examples", render=False),
            chosen=widgets.choices(elem_id="chosen", render=False),
            file=gr.DownloadButton("The file", elem_id="file", render=False),
            owner=owner.kept(desk, "owner"),
            tabs=gr.Tabs(elem_id="tabs", render=False),
        )
        widgets.alive(elem_id="alive")
        note = header(page)
        with gr.Row(elem_id="desk"):
            with gr.Column(elem_id="side", min_width=280):
                workbench.build(page)
            with gr.Column(elem_id="main", min_width=320):
                page.stage.render()
                closer = Closer(page)
                tabs(page)
        api.endpoints(desk)
        closer.wire(note)
        page.finish()
        first_view(page, blocks, note)
        owner.loaded(page.owner, blocks)
    without_marks(blocks)
    return blocks


def without_marks(blocks: gr.Blocks) -> None:
    """An event that shows no progress marks nobody. Otherwise Gradio's script keeps a mark for each component that any
    event ever wrote, and looks every one of them up in the whole page, part by part, at each message of each event."""
    for event in blocks.fns.values():
        if event.show_progress == "hidden":
            event.show_progress_on = []


def first_view(page: Page, blocks: gr.Blocks, note: gr.HTML) -> None:
    """The view and the tab that the address names, else the world that this browser used last."""
    outputs, values = page.situation

    def opened(request: gr.Request) -> list[Any]:
        session = open_link(page.desk, request.query_params)
        again = timed(act, page.desk, session, session.result.tool)  # without the loading of the networks
        key = named(request.query_params.get("tab")) or tab_of(again)
        followed = [
            gr.Tabs(selected=key) if part is page.tabs else value
            for part, value in zip(outputs, values(again), strict=True)
        ]
        return [*page.paint(replace(again, notice=session.notice)), *followed, show.note(session.notice)]

    blocks.load(
        opened,
        None,
        [*page.always, *outputs, note],
        js=(widgets.ASSETS / "first.js").read_text(),
        show_progress="hidden",
        api_visibility="private",
        **QUEUE,
    )


def header(page: Page) -> gr.HTML:
    """World, space, classifier; what is computed where, and how fast. Gives the line below it, for what went wrong."""
    desk = page.desk
    with gr.Row(elem_id="header"):
        gr.HTML(f"{SKIP}<h1>LatentLab</h1>", elem_id="title")
        world, space, classifier = (
            gr.Dropdown([], label=label, elem_id=label, interactive=True, min_width=120)
            for label in ("world", "space", "classifier")
        )
        page.away.render()
        save = away.offered(page, away.ZIP, elem_id="pack")
        page.file.render()
        page.status.render()
        dark = gr.Button("◐", elem_id="dark", size="sm", min_width=36)
    note = gr.HTML(elem_id="header-note")
    save(note)
    dark.click(None, js="() => { document.body.classList.toggle('dark'); }", api_visibility="private")

    page.names = ([world, space, classifier], lambda session: choices(desk, session))
    page.follow(*page.names)
    for dropdown, field, verb in (
        (world, "world", lambda s, name: change_world(desk, s, name)),
        (space, "model", lambda s, name: choose(desk, s, model=name)),
        (classifier, "classifier", lambda s, name: choose(desk, s, classifier=name)),
    ):
        on(page, [dropdown.input], other(field, verb), [dropdown], note, lambda: page.situation)
    return note


def other(field: str, verb: Callable[[Session, str], Session]) -> Callable[[Session, str], Session]:
    """The verb, for another name than the session's: Gradio tells of a choice also when the keyboard passes by."""

    def run(session: Session, name: str) -> Session:
        return session if name == getattr(session, field) else verb(session, name)

    return run


def choices(desk: Desk, session: Session) -> list[Any]:
    store, world = desk.store, session.world
    spaces = [(show.short(desk, name, world), name) for name in store.models(world)]
    classifiers = [(show.name(name.removeprefix(f"{world}-")), name) for name in store.classifiers(world)]
    return [
        gr.update(choices=list(store.worlds), value=world),
        gr.update(choices=spaces, value=session.model),
        gr.update(choices=classifiers, value=session.classifier or None),
    ]


def tabs(page: Page) -> None:
    keep = (widgets.ASSETS / "tab.js").read_text()
    page.tabs.render()
    with page.tabs:
        for module in TABS:
            with gr.Tab(module.TITLE, id=module.KEY) as tab:
                module.build(page, tab)
            tab.select(None, js=f"() => ({keep})({module.KEY!r})", api_visibility="private")
    page.steady.append((page.tabs, tab_of))
    page.follow([page.tabs], lambda session: [gr.Tabs(selected=tab_of(session))])


def named(key: str | None) -> str | None:
    """The tab of the address, if there is such a one."""
    return key if key in {module.KEY for module in TABS} else None


def tab_of(session: Session) -> str:
    return next((module.KEY for module in TABS if isinstance(session.result.tool, module.TOOLS)), explore.KEY)

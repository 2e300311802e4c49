"""The page: a header, the workbench at the side, the stage, and a tab for each way to move."""

from __future__ import annotations

from collections.abc import Callable

import gradio as gr

from latentlab.operators import LatentOperator
from latentlab.runs import Runs
from latentlab.session import Session, Workspace, change_world, choose_networks, open_link
from latentlab.store import Store
from latentlab.ui import api, components, first_minute, run_owner
from latentlab.ui.compute_turns import PROCESSOR_TURNS
from latentlab.ui.events import QUIET_OPTIONS, TORCH_LANE, connect_action, connect_script
from latentlab.ui.gradio_patches.progress_marks import clear_progress_marks
from latentlab.ui.html import spell_name
from latentlab.ui.page_parts import Follower, Page, Painted, make_follower
from latentlab.ui.scripts import load_script
from latentlab.ui.stage import export_menu
from latentlab.ui.stage.details import DetailsPanel
from latentlab.ui.stage.view import draw_note, shorten_model_name
from latentlab.ui.tabs.attack import tab as attack_tab
from latentlab.ui.tabs.audit import tab as audit_tab
from latentlab.ui.tabs.compare import tab as compare_tab
from latentlab.ui.tabs.explain import tab as explain_tab
from latentlab.ui.tabs.explore import tab as explore_tab
from latentlab.ui.tabs.learn import tab as learn_tab
from latentlab.ui.tabs.map import tab as map_tab
from latentlab.ui.tabs.mix import tab as mix_tab
from latentlab.ui.tabs.new_world import tab as new_world_tab
from latentlab.ui.tabs.toys import tab as toys_tab
from latentlab.ui.tabs.train import tab as train_tab
from latentlab.ui.workbench import panel

TABS = {
    explore_tab: explore_tab.build_explore_tab,
    mix_tab: mix_tab.build_mix_tab,
    attack_tab: attack_tab.build_attack_tab,
    explain_tab: explain_tab.build_explain_tab,
    map_tab: map_tab.build_map_tab,
    audit_tab: audit_tab.build_audit_tab,
    train_tab: train_tab.build_train_tab,
    compare_tab: compare_tab.build_compare_tab,
    new_world_tab: new_world_tab.build_new_world_tab,
    toys_tab: toys_tab.build_toys_tab,
    learn_tab: learn_tab.build_learn_tab,
}
MOVE_TABS: dict[str, Callable[[LatentOperator], bool]] = {
    explore_tab.KEY: explore_tab.holds_exploration,
    mix_tab.KEY: mix_tab.holds_mix,
    attack_tab.KEY: attack_tab.holds_attack,
}
SKIP_LINK = '<a class="ll-button ll-skip" href="#tabs">To the controls</a>'


def lay_out_page(store: Store, runs: Runs | None = None) -> gr.Blocks:
    """Lay out the page of a store; launch it with `**theme.load_style_options()`."""
    workspace = Workspace(store, runs=runs)
    with gr.Blocks(title="LatentLab", analytics_enabled=False, fill_width=True) as blocks:
        page = Page(
            workspace,
            session=gr.State(None),
            stage=components.make_stage(elem_id="stage", render=False),
            status=gr.HTML(elem_id="status", render=False),
            models=components.make_choices(elem_id="models", render=False),
            slots=components.make_choices(elem_id="slots", render=False),
            filmstrip=components.make_choices(elem_id="film", render=False),
            export_menu=components.make_export_menu(elem_id="away", render=False),
            history=components.make_choices(elem_id="past", elem_classes="ll-examples", render=False),
            selection=components.make_choices(elem_id="chosen", render=False),
            file=gr.DownloadButton("The file", elem_id="file", render=False),
            owner=run_owner.make_browser_state(workspace, "owner"),
            tabs=gr.Tabs(elem_id="tabs", render=False),
        )
        components.make_server_status(elem_id="alive")
        note = build_header(page)
        with gr.Row(elem_id="desk"):
            with gr.Column(elem_id="side", min_width=280):
                panel.build_workbench(page)
            with gr.Column(elem_id="main", min_width=320):
                first_minute.build_welcome()
                page.stage.render()
                details = DetailsPanel(page)
                build_tabs(page)
        first_minute.build_page_end()
        api.add_endpoints(workspace)
        details.wire_events(note)
        page.finish_wiring()
        wire_first_view(page, blocks, note)
        run_owner.issue_token_on_load(page.owner, blocks)
    clear_progress_marks(blocks)
    return blocks


def wire_first_view(page: Page, blocks: gr.Blocks, note: gr.HTML) -> None:
    """Open the view and the tab that the address names, else the world that this browser used last, at each load."""
    follower = page.situation_follower

    def open_first_view(request: gr.Request) -> Painted:
        session = open_link(page.workspace, request.query_params)
        key = find_tab_key(request.query_params.get("tab")) or find_tool_tab(session)
        followed = {**follower.paint(session), page.tabs: gr.Tabs(selected=key)}
        return {**page.paint_session(session), **followed, note: draw_note(session.notice)}

    outputs = [*page.always_outputs, *follower.widgets, note]
    first = PROCESSOR_TURNS.wrap_short(open_first_view)
    blocks.load(first, None, outputs, js=load_script("restore_world.js"), **QUIET_OPTIONS, **TORCH_LANE)


def build_header(page: Page) -> gr.HTML:
    """Build the header: world, space, classifier; what is computed where, and how fast. Return the line below it, for
    what went wrong.
    """
    workspace = page.workspace
    with gr.Row(elem_id="header"):
        gr.HTML(f"{SKIP_LINK}<h1>LatentLab</h1>", js_on_load=load_script("skip_link.js"), elem_id="title")
        world, space, classifier = (
            gr.Dropdown([], label=label, elem_id=label, interactive=True, min_width=120)
            for label in ("world", "space", "classifier")
        )
        page.export_menu.render()
        save = export_menu.place_file_offers(page, export_menu.ZIP_KIND, elem_id="pack")
        page.file.render()
        page.status.render()
        dark = gr.Button("◐", elem_id="dark", size="sm", min_width=36)
    note = gr.HTML(elem_id="header-note")
    save(note)
    connect_script(dark.click, "() => { document.body.classList.toggle('dark'); }")

    page.name_choices = follow_names(workspace, world, space, classifier)
    page.add_follower(page.name_choices)
    for dropdown, field, verb in (
        (world, "world", lambda s, name: change_world(workspace, s, name)),
        (space, "model", lambda s, name: choose_networks(workspace, s, model=name)),
        (classifier, "classifier", lambda s, name: choose_networks(workspace, s, classifier=name)),
    ):
        choose = ignore_same_name(field, verb)
        connect_action(page, [dropdown.input], choose, {"name": dropdown}, note, lambda: page.situation_follower)
    return note


def ignore_same_name(field: str, verb: Callable[[Session, str], Session]) -> Callable[[Session, str], Session]:
    """Limit the verb to other names than the session's: Gradio tells of a choice also when the keyboard passes by."""

    def choose_other_name(session: Session, name: str) -> Session:
        return session if name == getattr(session, field) else verb(session, name)

    return choose_other_name


def follow_names(workspace: Workspace, world: gr.Dropdown, space: gr.Dropdown, classifier: gr.Dropdown) -> Follower:
    """Let the three dropdowns offer and show the worlds, and the world's spaces and classifiers."""

    def paint_names(session: Session) -> Painted:
        store, own = workspace.store, session.world
        spaces = [(shorten_model_name(workspace, name, own), name) for name in store.list_models(own)]
        classifiers = [(spell_name(name.removeprefix(f"{own}-")), name) for name in store.list_classifiers(own)]
        return {
            world: gr.update(choices=[(store.find_title(name), name) for name in store.worlds], value=own),
            space: gr.update(choices=spaces, value=session.model),
            classifier: gr.update(choices=classifiers, value=session.classifier or None),
        }

    return Follower([world, space, classifier], paint_names)


def build_tabs(page: Page) -> None:
    keep = load_script("tab_address.js")
    page.tabs.render()
    with page.tabs:
        for module, build in TABS.items():
            with gr.Tab(module.TITLE, id=module.KEY) as tab:
                first_minute.build_purpose(module.KEY, module.PURPOSE)
                build(page, tab)
            connect_script(tab.select, f"() => ({keep})({module.KEY!r})")
    page.steady_parts.append((page.tabs, find_tool_tab))
    page.add_follower(make_follower(page.tabs, lambda session: gr.Tabs(selected=find_tool_tab(session))))


def find_tab_key(key: str | None) -> str | None:
    """Return the tab of the address, if there is such a one."""
    return key if key in {module.KEY for module in TABS} else None


def find_tool_tab(session: Session) -> str:
    """Return the key of the first tab that shows the session's move."""
    return next(key for key, holds_move in MOVE_TABS.items() if holds_move(session.result.tool))

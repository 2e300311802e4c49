"""Runs as HTML: the list, the state of one, what can be done with it, the images of a batch with their soft labels."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from latentlab.runs import Run, Runs
from latentlab.session.runs.progress import RunProgress
from latentlab.session.runs.training import BatchPreview
from latentlab.types import Targets
from latentlab.ui.html import draw_image, escape_text, join_html
from latentlab.ui.stage.view import spell_name as spoken
from latentlab.ui.tabs.train.curves import choose_series_colour

LEAST_NAMED_SHARE = 0.005  # of a soft label: less is not named


NO_RUNS_NOTE = "No run yet. Start one: it goes on when you close the page."


def draw_run_list(runs: Sequence[Run], chosen: str, places: Mapping[str, int] | None, none: str = NO_RUNS_NOTE) -> str:
    """Draw every run with its state; a click chooses it, the square draws its curves beside the chosen one's."""
    if not runs:
        return f'<p class="ll-quiet">{escape_text(none)}</p>'
    squares = (
        {} if places is None else {run.id: _draw_square(run, run.id == chosen, places.get(run.id)) for run in runs}
    )
    items = join_html(_draw_run_item(run, run.id == chosen, squares.get(run.id, "")) for run in runs)
    return f'<div class="ll-runs">{items}</div>'


def _draw_square(run: Run, chosen: bool, place: int | None) -> str:
    lit = "" if place is None else f' style="--ll-own:{choose_series_colour(place)}"'
    pressed = str(place is not None).lower()
    return (
        f'<button class="ll-beside" data-key="beside:{escape_text(run.id)}"{lit} aria-pressed="{pressed}" '
        f'{"disabled" if chosen else ""} aria-label="draw the curves of {escape_text(run.name)}" '
        f'title="{"its curves are drawn" if chosen else "draw its curves beside"}"></button>'
    )


def _draw_run_item(run: Run, chosen: bool, square: str) -> str:
    return (
        f'<div class="ll-run">{square}<button class="ll-run-name" data-key="run:{escape_text(run.id)}" '
        f'aria-pressed="{str(chosen).lower()}"><b>{escape_text(run.name)}</b>'
        f'<span class="ll-state ll-{run.state}">{escape_text(describe_run_state(run))}</span></button></div>'
    )


def name_run_classifiers(runs: Sequence[Run]) -> dict[str, str]:
    """Return what people call the classifiers that these runs have made: the run's name and the time of its start."""
    made = ((run, run.id[9:15]) for run in runs if run.classifier)
    return {run.classifier: f"{run.name}, {time[:2]}:{time[2:4]}:{time[4:]}" for run, time in made}


def describe_run_state(run: Run) -> str:
    """Say the state in a few words, with what it has come to."""
    if run.state == "queued":
        places = {0: "given to the launcher", 1: "next in the queue"}
        return places.get(run.position, f"number {run.position} in the queue")
    if run.stopping:
        return "stopping" if run.stopping == "stop" else "stopping, saving"
    if run.state == "running" and "done" in run.latest:
        return f"running, {100 * run.latest['done']:.0f} %"
    return run.state


def draw_run_report(run: Run, story: RunProgress, log: str) -> str:
    """Draw name, state and cause of the chosen run, its numbers, and its last lines where it failed."""
    facts = list_run_numbers(run, story)
    rows = join_html(
        f"<div><dt>{escape_text(word)}</dt><dd><b>{escape_text(value)}</b></dd></div>" for word, value in facts
    )
    return draw_run_header(run, log, f'<dl class="ll-facts">{rows}</dl>')


def draw_run_header(run: Run, log: str, inner: str = "") -> str:
    cause = f'<p class="ll-cause">{escape_text(run.cause)}</p>' if run.cause and not run.is_active else ""
    tail = (
        f'<details class="ll-log"><summary>log</summary><pre tabindex="0">{escape_text(log)}</pre></details>'
        if log
        else ""
    )
    title = (
        f'{escape_text(run.name)} <span class="ll-state ll-{run.state}">{escape_text(describe_run_state(run))}</span>'
    )
    return f'<div class="ll-told"><h3>{title}</h3>{cause}{inner}{tail}</div>'


def list_run_numbers(run: Run, story: RunProgress) -> list[tuple[str, str]]:
    begin, step, rows = story.begin, story.step, []
    if run.state == "running" and step:
        rows.append(("left", format_run_duration(step["eta"])))
    if step:
        total = begin.get("steps")
        rows.append(("step", f"{step['step']:,}" + (f" of {total:,}" if total else "")))
        rows.append(("time", format_run_duration(step["seconds"])))
        rows.append(("speed", f"{step['images_per_second']:,.0f} images/s"))
    if begin:
        rows.append(("device", begin["device"]))
        rows.append(("data", f"{begin['images']:,} images, {begin['validation']:,} held out"))
    scores = story.end.get("scores") or {}
    return rows + [(f"test {word}", format_test_score(word, value)) for word, value in scores.items()]


def format_test_score(word: str, value: float) -> str:
    return f"{value:.3f} nats" if word == "nll" else f"{100 * value:.1f} %"


def format_run_duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


# What can be done with a run, and why not
RUN_ACTIONS = {"stop": "Stop", "save": "Stop and save", "resume": "Resume"}
DELETE_WARNING = "Deletes its directory, and its classifier if it has one."


def explain_refusal(run: Run | None, act: str) -> str:
    """Say why this cannot be done now; the text is empty where it can."""
    if run is None:
        return "No run is chosen."
    if not run.mine:
        return "This run was started elsewhere; only its owner can change it."
    if act == "resume":
        return "" if run.is_resumable else f"It is {run.state}; only a run that ended early can go on."
    if act == "delete":
        return "It is running; stop it first." if run.state == "running" else ""
    if not run.is_active:
        return f"It is {run.state}; there is nothing to stop."
    if run.stopping:
        return "It is stopping already."
    return "It has not begun; there is nothing to save." if act == "save" and run.state == "queued" else ""


def draw_run_actions(run: Run | None, saves: bool = True) -> str:
    """Draw the buttons of the chosen run; one that cannot work is off and says why."""
    usual = join_html(
        _draw_button(key, word, explain_refusal(run, key))
        for key, word in RUN_ACTIONS.items()
        if saves or key != "save"
    )
    why = explain_refusal(run, "delete")
    if why:
        return f'<div class="ll-acts">{usual}{_draw_button("delete", "Delete", why)}</div>'
    sure = _draw_button("delete", "Delete for good", "")
    return (
        f'<div class="ll-acts">{usual}<details class="ll-sure"><summary class="ll-button">Delete</summary>'
        f"<p>{DELETE_WARNING} {sure}</p></details></div>"
    )


def perform_run_action(runs: Runs, run: str, key: str, token: str) -> None:
    """Do what a button says."""
    match key:
        case "stop" | "save":
            runs.stop_run(run, token, save=key == "save")
        case "resume":
            runs.resume_run(run, token)
        case "delete":
            runs.delete_run(run, token)


def _draw_button(key: str, word: str, why: str) -> str:
    off = f' disabled title="{escape_text(why)}"' if why else ""
    return f'<button class="ll-button" data-key="{key}"{off}>{word}</button>'


# A batch
def draw_batch_tiles(shown: BatchPreview, classes: Sequence[str]) -> str:
    """Draw each image as the network gets it, what it was in the corner, and its soft label."""
    tiles = join_html(_draw_batch_tile(shown, place, classes) for place in range(len(shown.images)))
    return f'<div class="ll-batch">{tiles}</div>'


def _draw_batch_tile(shown: BatchPreview, place: int, classes: Sequence[str]) -> str:
    label = list_label_shares(shown.targets, place, classes)
    parts = join_html(f'<i style="flex:{share:.3f}"></i>' for _, share in label)
    words = " + ".join(f"{name} {100 * share:.0f} %" if len(label) > 1 else name for name, share in label)
    pictures = draw_image(shown.images[place], words) + draw_image(shown.originals[place], "before")
    return (
        f'<figure class="ll-sample" title="training image {shown.rows[place]}"><div>{pictures}</div>'
        f'<figcaption><span class="ll-share">{parts}</span><b>{escape_text(words)}</b></figcaption></figure>'
    )


def list_label_shares(targets: Targets, place: int, classes: Collection[str]) -> list[tuple[str, float]]:
    """Return the classes of a soft label with their shares, the largest first."""
    shares = zip(map(spoken, classes), targets[place].tolist(), strict=True)
    return sorted(((name, share) for name, share in shares if share > LEAST_NAMED_SHARE), key=lambda pair: -pair[1])

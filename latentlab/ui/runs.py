"""Runs as HTML: the list, the state of one, what can be done with it, the images of a batch with their soft labels."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from latentlab.runs import Run, Runs
from latentlab.session.progress import Story
from latentlab.session.training import Shown
from latentlab.types import Targets
from latentlab.ui.curves import colour
from latentlab.ui.markup import image, joined, text
from latentlab.ui.show import name as spoken

NAMED = 0.005  # of a soft label: less is not named


NONE = "No run yet. Start one: it goes on when you close the page."


def listed(runs: Sequence[Run], chosen: str, places: Mapping[str, int] | None, none: str = NONE) -> str:
    """Every run with its state; a click chooses it, the square draws its curves beside the chosen one's."""
    if not runs:
        return f'<p class="ll-quiet">{text(none)}</p>'
    squares = {} if places is None else {run.id: _square(run, run.id == chosen, places.get(run.id)) for run in runs}
    return f'<div class="ll-runs">{joined(_item(run, run.id == chosen, squares.get(run.id, "")) for run in runs)}</div>'


def _square(run: Run, chosen: bool, place: int | None) -> str:
    lit = "" if place is None else f' style="--ll-own:{colour(place)}"'
    pressed = str(place is not None).lower()
    return (
        f'<button class="ll-beside" data-key="beside:{text(run.id)}"{lit} aria-pressed="{pressed}" '
        f'{"disabled" if chosen else ""} aria-label="draw the curves of {text(run.name)}" '
        f'title="{"its curves are drawn" if chosen else "draw its curves beside"}"></button>'
    )


def _item(run: Run, chosen: bool, square: str) -> str:
    return (
        f'<div class="ll-run">{square}<button class="ll-run-name" data-key="run:{text(run.id)}" '
        f'aria-pressed="{str(chosen).lower()}"><b>{text(run.name)}</b>'
        f'<span class="ll-state ll-{run.state}">{text(state(run))}</span></button></div>'
    )


def called(runs: Sequence[Run]) -> dict[str, str]:
    """What people call the classifiers that these runs have made: the run's name and the time of its start."""
    made = ((run, run.id[9:15]) for run in runs if run.classifier)
    return {run.classifier: f"{run.name}, {time[:2]}:{time[2:4]}:{time[4:]}" for run, time in made}


def state(run: Run) -> str:
    """The state in a few words, with what it has come to."""
    if run.state == "queued":
        places = {0: "given to the launcher", 1: "next in the queue"}
        return places.get(run.position, f"number {run.position} in the queue")
    if run.stopping:
        return "stopping" if run.stopping == "stop" else "stopping, saving"
    if run.state == "running" and "done" in run.latest:
        return f"running, {100 * run.latest['done']:.0f} %"
    return run.state


def told(run: Run, story: Story, log: str) -> str:
    """Name, state and cause of the chosen run, its numbers, and its last lines where it failed."""
    facts = numbers(run, story)
    rows = joined(f"<div><dt>{text(word)}</dt><dd><b>{text(value)}</b></dd></div>" for word, value in facts)
    return headed(run, log, f'<dl class="ll-facts">{rows}</dl>')


def headed(run: Run, log: str, inner: str = "") -> str:
    cause = f'<p class="ll-cause">{text(run.cause)}</p>' if run.cause and not run.active else ""
    tail = f'<details class="ll-log"><summary>log</summary><pre tabindex="0">{text(log)}</pre></details>' if log else ""
    title = f'{text(run.name)} <span class="ll-state ll-{run.state}">{text(state(run))}</span>'
    return f'<div class="ll-told"><h3>{title}</h3>{cause}{inner}{tail}</div>'


def numbers(run: Run, story: Story) -> list[tuple[str, str]]:
    begin, step, rows = story.begin, story.step, []
    if run.state == "running" and step:
        rows.append(("left", duration(step["eta"])))
    if step:
        total = begin.get("steps")
        rows.append(("step", f"{step['step']:,}" + (f" of {total:,}" if total else "")))
        rows.append(("time", duration(step["seconds"])))
        rows.append(("speed", f"{step['images_per_second']:,.0f} images/s"))
    if begin:
        rows.append(("device", begin["device"]))
        rows.append(("data", f"{begin['images']:,} images, {begin['validation']:,} held out"))
    scores = story.end.get("scores") or {}
    return rows + [(f"test {word}", score(word, value)) for word, value in scores.items()]


def score(word: str, value: float) -> str:
    return f"{value:.3f} nats" if word == "nll" else f"{100 * value:.1f} %"


def duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


# What can be done with a run, and why not
ACTS = {"stop": "Stop", "save": "Stop and save", "resume": "Resume"}
GONE = "Deletes its directory, and its classifier if it has one."


def refusal(run: Run | None, act: str) -> str:
    """Why this cannot be done now; empty where it can."""
    if run is None:
        return "No run is chosen."
    if not run.mine:
        return "This run was started elsewhere; only its owner can change it."
    if act == "resume":
        return "" if run.resumable else f"It is {run.state}; only a run that ended early can go on."
    if act == "delete":
        return "It is running; stop it first." if run.state == "running" else ""
    if not run.active:
        return f"It is {run.state}; there is nothing to stop."
    if run.stopping:
        return "It is stopping already."
    return "It has not begun; there is nothing to save." if act == "save" and run.state == "queued" else ""


def actions(run: Run | None, saves: bool = True) -> str:
    """The buttons of the chosen run; one that cannot work is off and says why."""
    usual = joined(_button(key, word, refusal(run, key)) for key, word in ACTS.items() if saves or key != "save")
    why = refusal(run, "delete")
    if why:
        return f'<div class="ll-acts">{usual}{_button("delete", "Delete", why)}</div>'
    sure = _button("delete", "Delete for good", "")
    return (
        f'<div class="ll-acts">{usual}<details class="ll-sure"><summary class="ll-button">Delete</summary>'
        f"<p>{GONE} {sure}</p></details></div>"
    )


def act(runs: Runs, run: str, key: str, token: str) -> None:
    """Do what a button says."""
    match key:
        case "stop" | "save":
            runs.stop(run, token, save=key == "save")
        case "resume":
            runs.resume(run, token)
        case "delete":
            runs.delete(run, token)


def _button(key: str, word: str, why: str) -> str:
    off = f' disabled title="{text(why)}"' if why else ""
    return f'<button class="ll-button" data-key="{key}"{off}>{word}</button>'


# A batch
def tiles(shown: Shown, classes: Sequence[str]) -> str:
    """Each image as the network gets it, what it was in the corner, and its soft label."""
    return f'<div class="ll-batch">{joined(_tile(shown, place, classes) for place in range(len(shown.images)))}</div>'


def _tile(shown: Shown, place: int, classes: Sequence[str]) -> str:
    label = soft(shown.targets, place, classes)
    parts = joined(f'<i style="flex:{share:.3f}"></i>' for _, share in label)
    words = " + ".join(f"{name} {100 * share:.0f} %" if len(label) > 1 else name for name, share in label)
    return (
        f'<figure class="ll-sample" title="training image {shown.rows[place]}"><div>{image(shown.images[place], words)}'
        f'{image(shown.originals[place], "before")}</div><figcaption><span class="ll-share">{parts}</span>'
        f"<b>{text(words)}</b></figcaption></figure>"
    )


def soft(targets: Targets, place: int, classes: Collection[str]) -> list[tuple[str, float]]:
    """The classes of a soft label, the largest share first."""
    shares = zip(map(spoken, classes), targets[place].tolist(), strict=True)
    return sorted(((name, share) for name, share in shares if share > NAMED), key=lambda pair: -pair[1])

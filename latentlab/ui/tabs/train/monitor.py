"""The runs of a visitor, looked at from outside once a second; a page that is closed and opened again sees the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from latentlab.runs import Run, Runs
from latentlab.session import Workspace
from latentlab.session.runs import training as verbs
from latentlab.session.runs.progress import EventReader, RunProgress, add_events
from latentlab.training.augmented import Config
from latentlab.ui.run_owner import KeptChoice
from latentlab.ui.tabs.train import curves
from latentlab.ui.tabs.train import run_list as pages

LOG_TAIL_LETTERS = 6000  # letters of the end of a log
FIRST_WEIGHTS_NOTE = (
    "Here the attack meets the network with its first weights; in the run it meets the one in training."
)
BAD_END_STATES = ("failed", "interrupted")


@dataclass(frozen=True)
class CurveView:
    """What the curves are drawn over, and how much they are smoothed."""

    across: str = "step"
    weight: float = 0.6


@dataclass(frozen=True)
class RunsView:
    """The runs as they are painted; `mark` changes with what is shown."""

    mark: str
    runs: str
    report: str
    actions: str
    loss: curves.CurveFigure | None
    accuracy: curves.CurveFigure | None
    batch: str


class RunMonitor:
    """It paints the runs that are visible to a token; the stories of all visitors' runs are read once."""

    def __init__(self, workspace: Workspace, runs: Runs) -> None:
        self.workspace, self.runs = workspace, runs
        self.reader = EventReader(runs, RunProgress(), add_events)

    def list_train_runs(self, token: str) -> list[Run]:
        return [run for run in self.runs.list_runs(token) if run.verb == "train"]

    def paint_runs(self, token: str, chosen: KeptChoice, view: CurveView) -> RunsView:
        """Paint the list, the chosen run's state and actions, the figures of it and those beside it, and its batch."""
        found = self.list_train_runs(token)
        known = {run.id: run for run in found}
        run = known.get(chosen["run"]) or next(iter(found), None)
        beside = [known[name] for name in chosen["beside"] if name in known and known[name] is not run]
        drawn = [*([run] if run else []), *beside]
        read = {one.id: self.reader.read_run(one.id, token) for one in drawn}
        stories = [(one.name, read[one.id][1]) for one in drawn]
        places = {one.id: place for place, one in enumerate(drawn)}
        story = read[run.id][1] if run else RunProgress()
        return RunsView(
            mark=repr((found, [cursor for cursor, _ in read.values()], view, list(read))),
            runs=pages.draw_run_list(found, run.id if run else "", places),
            report=pages.draw_run_report(run, story, self._read_log_tail(run, token)) if run else "",
            actions=pages.draw_run_actions(run) if run else "",
            **self._draw_figures(stories, view),
            batch=self._draw_current_batch(run, story, token) if run else "",
        )

    def _draw_figures(self, stories: Sequence[tuple[str, RunProgress]], view: CurveView) -> dict[str, Any]:
        loss, right = curves.collect_curves(stories, view.across)
        unit = "step" if view.across == "step" else "time [s]"
        return {
            "loss": curves.draw_losses(loss, view.weight, unit) if any(curve.points for curve in loss) else None,
            "accuracy": curves.draw_accuracies(right, unit) if right else None,
        }

    def _read_log_tail(self, run: Run, token: str) -> str:
        return self.runs.read_log(run.id, token, LOG_TAIL_LETTERS) if run.state in BAD_END_STATES else ""

    def _draw_current_batch(self, run: Run, story: RunProgress, token: str) -> str:
        """Draw the batch that the run trains on; where it has ended, its last one."""
        if not story.sampled:
            return ""
        shown = verbs.read_current_batch(self.runs.find_folder(run.id, token))
        if shown is None:
            return ""
        when = "It trains on now" if run.state == "running" else "The last images it trained on"
        return draw_batch_heading(f"{when}: update {shown.step:,}") + pages.draw_batch_tiles(
            shown, tuple(story.begin["classes"])
        )


def draw_batch_heading(title: str) -> str:
    return f'<h3 class="ll-heading">{title}</h3>'


def draw_batch_preview(workspace: Workspace, wanted: Config, step: Any) -> str:
    """Draw the batch of an update before the run begins."""
    shown = verbs.preview_run_batch(workspace, wanted, step)
    doubt = "" if shown.exact else f'<p class="ll-quiet">{FIRST_WEIGHTS_NOTE}</p>'
    return (
        draw_batch_heading(f"What update {shown.step:,} trains on")
        + pages.draw_batch_tiles(shown, verbs.name_target_columns(workspace, wanted))
        + doubt
    )

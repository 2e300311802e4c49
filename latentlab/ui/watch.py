"""The runs of a visitor, looked at from outside once a second; a page that is closed and opened again sees the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from latentlab.runs import Run, Runs
from latentlab.session import Desk
from latentlab.session import training as verbs
from latentlab.session.progress import Reader, Story, tell
from latentlab.training import Config
from latentlab.ui import curves
from latentlab.ui import runs as pages
from latentlab.ui.owner import Kept

LOG = 6000  # letters of the end of a log
FIRST_WEIGHTS = "Here the attack meets the network with its first weights; in the run it meets the one in training."
ENDED_BADLY = ("failed", "interrupted")


@dataclass(frozen=True)
class View:
    """What the curves are drawn over, and how much they are smoothed."""

    across: str = "step"
    weight: float = 0.6


class Watch:
    """Paints the runs that are visible to a token; the stories of all visitors' runs are read once."""

    def __init__(self, desk: Desk, runs: Runs) -> None:
        self.desk, self.runs = desk, runs
        self.reader = Reader(runs, Story(), tell)

    def seen(self, token: str) -> list[Run]:
        return [run for run in self.runs.list(token) if run.verb == "train"]

    def paint(self, token: str, chosen: Kept, view: View) -> tuple[str, list[Any]]:
        """A mark that changes with what is shown, and list, state, actions, two figures, the batch of now."""
        found = self.seen(token)
        known = {run.id: run for run in found}
        run = known.get(chosen["run"]) or (found[0] if found else None)
        beside = [known[name] for name in chosen["beside"] if name in known and known[name] is not run]
        drawn = [*([run] if run else []), *beside]
        stories = [self.reader.story(run.id, token) for run in drawn]
        mark = repr((found, [cursor for cursor, _ in stories], view, run and run.id, [other.id for other in beside]))
        places = {run.id: place for place, run in enumerate(drawn)}
        told = [story for _, story in stories]
        return mark, [
            pages.listed(found, run.id if run else "", places),
            pages.told(run, told[0], self._log(run, token)) if run else "",
            pages.actions(run) if run else "",
            *self._figures([run.name for run in drawn], told, view),
            self._now(run, told[0], token) if run else "",
        ]

    def _figures(self, names: Sequence[str], stories: Sequence[Story], view: View) -> list[Any]:
        loss, right = curves.of_runs(list(zip(names, stories, strict=True)), view.across)
        unit = "step" if view.across == "step" else "time [s]"
        return [
            curves.losses(loss, view.weight, unit) if any(curve.points for curve in loss) else None,
            curves.accuracies(right, unit) if right else None,
        ]

    def _log(self, run: Run, token: str) -> str:
        return self.runs.log(run.id, token, LOG) if run.state in ENDED_BADLY else ""

    def _now(self, run: Run, story: Story, token: str) -> str:
        """The batch that the run trains on; of one that has ended, the last."""
        if not story.sampled:
            return ""
        shown = verbs.current_sample(self.runs.folder(run.id, token))
        if shown is None:
            return ""
        when = "It trains on now" if run.state == "running" else "The last images it trained on"
        return heading(f"{when}: update {shown.step:,}") + pages.tiles(shown, tuple(story.begin["classes"]))


def heading(title: str) -> str:
    return f'<h3 class="ll-heading">{title}</h3>'


def before(desk: Desk, wanted: Config, step: Any) -> str:
    """The batch of an update before the run begins."""
    shown = verbs.preview(desk, wanted, step)
    doubt = "" if shown.exact else f'<p class="ll-quiet">{FIRST_WEIGHTS}</p>'
    return heading(f"What update {shown.step:,} trains on") + pages.tiles(shown, verbs.classes_of(desk, wanted)) + doubt

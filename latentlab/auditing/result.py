"""The result of an audit, from its events alone: the page, the report and the files read it here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from latentlab.auditing.choices import ChoiceResult, read_choices
from latentlab.auditing.columns import AuditColumns, join_records
from latentlab.auditing.config import Audit
from latentlab.auditing.cost import count_plain_steps, count_run_hours
from latentlab.auditing.direction_ranking import RankedDirection, rank_directions
from latentlab.auditing.reach import Limit, ReachAxis, Trial, find_limit, find_reach_axis
from latentlab.auditing.sensitivity import DirectionEvent
from latentlab.auditing.stream import AuditStory
from latentlab.auditing.summary import CleanSummary, MoveSummary, summarise_clean, summarise_move
from latentlab.errors import UserError
from latentlab.knobs import tool_from_json
from latentlab.recipe import Recipe, parse_recipe


@dataclass(frozen=True, eq=False)
class MoveResult:
    """One move: what it did to the images, how far it may go, what it costs."""

    title: str
    method: str
    space: str
    recipe: Recipe
    summary: MoveSummary
    axis: ReachAxis | None
    trials: tuple[Trial, ...]  # from the value at which nothing moves
    limit: Limit | None
    choices: tuple[ChoiceResult, ...]  # of the knobs that take few values
    steps: float  # plain training steps a batch
    hours: float | None  # of the full run that was named
    extra_hours: float | None  # of it, those of the move

    @property
    def judged_count(self) -> int:
        """Return of how many images the limit speaks."""
        return len(self.trials[0]["rows"]) if self.trials else 0


@dataclass(frozen=True, eq=False)
class AuditResult:
    begin: Mapping[str, Any]
    config: Audit
    classes: tuple[str, ...]
    columns: AuditColumns
    clean: CleanSummary
    moves: tuple[MoveResult, ...]
    cost: Mapping[str, Any]
    complete: bool  # every chunk is there
    direction_events: tuple[DirectionEvent, ...]

    @property
    def image_count(self) -> int:
        return len(self.columns)

    @cached_property
    def rankings(self) -> dict[str, tuple[RankedDirection, ...]]:
        """Return the directions of each space, that first along which the decision changes most."""
        return rank_directions(self.direction_events, self.classes)


def read_result(events: Sequence[Mapping[str, Any]]) -> AuditResult:
    """Read what has been measured so far; the limits only of a move whose search has ended."""
    begin = next((event for event in reversed(events) if event["event"] == "begin"), None)
    story = AuditStory(list(events))
    if begin is None or story.cost is None or not story.records:
        raise UserError("Nothing of this audit has been measured yet; wait for its first chunk.")
    config = tool_from_json(Audit, begin["config"])
    columns = join_records([story.records[place] for place in sorted(story.records)])
    clean = summarise_clean(columns)
    moves = tuple(_read_move(told, begin, config, columns, clean, story) for told in begin["moves"])
    complete = len(story.records) == begin["chunks"]
    return AuditResult(
        begin, config, tuple(begin["classes"]), columns, clean, moves, story.cost, complete, tuple(story.directions)
    )


def _read_move(
    told: Mapping[str, Any],
    begin: Mapping[str, Any],
    config: Audit,
    columns: AuditColumns,
    clean: CleanSummary,
    story: AuditStory,
) -> MoveResult:
    title, recipe = told["title"], parse_recipe(told["recipe"])
    axis = find_reach_axis(recipe.make_operator()) if config.reach else None
    trials = {trial["value"]: trial for trial in story.trials if trial["move"] == title}
    searched = axis is not None and set(axis.choose_grid()) <= set(trials)
    cost, images = story.cost or {}, begin["training images"]
    hours = count_run_hours(cost, title, config.epochs, images) if config.epochs else None
    plain = count_run_hours({**cost, "moves": {title: 0.0}}, title, config.epochs, images)
    return MoveResult(
        title=title,
        method=told["method"],
        space=told["space"],
        recipe=recipe,
        summary=summarise_move(columns, told["space"], title, clean, len(begin["classes"])),
        axis=axis,
        trials=tuple(sorted(trials.values(), key=lambda trial: abs(trial["value"] - axis.still))) if axis else (),
        limit=find_limit(axis, trials, config.keep) if axis is not None and searched else None,
        choices=read_choices(title, story.choices, config.keep),
        steps=count_plain_steps(cost, title),
        hours=hours,
        extra_hours=None if hours is None else hours - plain,
    )

"""Training from the page: the run that a view and a form describe, its baseline, and the batch that it would see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from safetensors import safe_open

from latentlab.errors import UserError
from latentlab.images import round_levels
from latentlab.knobs import Knob, Setting, list_changed_knobs, tool_from_json
from latentlab.operators import METHODS, name_operator
from latentlab.runs.layout import SAMPLE_FILE
from latentlab.session.state import Session
from latentlab.session.workspace import Workspace
from latentlab.store import FIRST_ATTRIBUTE
from latentlab.training.augmented import (
    TRAINABLE_NETWORKS,
    Augmentation,
    Config,
    make_update_batch,
    measure_training_speed,
)
from latentlab.types import Images, Targets

BUDGET_UNITS = ("seconds", "minutes", "steps", "epochs")
BUDGET = Setting("budget", float, 60.0, Knob("after which the run ends", 0.1, 1_000_000))
PREVIEW_STEP = Setting("step", int, 1, Knob("update whose batch is shown", 1, 1_000_000))
MOVE_PROBABILITY = Setting("probability", float, 1.0, Knob("that an image goes through a move", 0, 1))
MAX_SEEDS = 5
MAX_NAME_LETTERS = 80  # of a name
BASELINE_PREFIX = "baseline"
FEW_UPDATES = 50  # a classifier has hardly begun to learn
PREVIEW_COUNT = 16  # images of a batch
START_NEW, START_FROM = "new", "from"  # how the start is written: new:resnet, from:digits-resnet


@dataclass(frozen=True)
class RunForm:
    """A `RunForm` holds what the form says beyond the knobs of a Config."""

    move: bool = True  # the one on the page
    methods: tuple[str, ...] = ()  # after it, in this order
    probability: float = 1.0
    start: str = f"{START_NEW}:resnet"
    selected: bool = False  # learn from the map's selection alone
    budget: float = 60.0
    unit: str = "seconds"  # one of UNITS


def make_page_augmentation(session: Session) -> Augmentation:
    """Return the move on the page, in its space, as an augmentation."""
    tool = session.result.tool
    return Augmentation(name_operator(tool), dict(list_changed_knobs(tool)), session.model)


def make_run_config(session: Session, wish: RunForm, knobs: Mapping[str, Any]) -> Config:
    """Return the run of this view and form; every value may be a stranger's."""
    if unknown := [name for name in wish.methods if name not in METHODS]:
        raise UserError(f"There is no method {str(unknown[0])[:40]!r}; choose one of {', '.join(METHODS)}.")
    share = MOVE_PROBABILITY.check_value(wish.probability)
    moves = [*([make_page_augmentation(session)] if wish.move else []), *(Augmentation(name) for name in wish.methods)]
    own = {
        "world": session.world,
        "attribute": session.classifier.partition(":")[2],
        "augmentations": tuple(replace(move, probability=share) for move in moves),
        "rows": require_selected_rows(session) if wish.selected else (),
    }
    return tool_from_json(Config, {**knobs, **own, **_parse_start(wish.start), **make_budget(wish.budget, wish.unit)})


def require_selected_rows(session: Session) -> tuple[int, ...]:
    """Return the training images that the map's selection holds; refuse an empty one."""
    chosen = session.selection
    if chosen.source != "train" or not chosen.rows:
        raise UserError("No training images are selected; lasso some on the map of the training images first.")
    return chosen.rows


def make_budget(amount: float, unit: str) -> dict[str, Any]:
    """Return the three budgets of a Config, two of them without a limit."""
    if unit not in BUDGET_UNITS:
        raise UserError(f"The unit of the budget is {str(unit)[:20]!r}; choose one of {', '.join(BUDGET_UNITS)}.")
    amount, none = BUDGET.check_value(amount), {"minutes": 0.0, "steps": 0, "epochs": 0.0}
    match unit:
        case "seconds":
            return none | {"minutes": amount / 60}
        case "steps":
            return none | {"steps": max(1, round(amount))}
    return none | {unit: amount}


def _parse_start(start: str) -> dict[str, str]:
    """Return the knob of a Config that says how the network begins."""
    kind, _, name = str(start).partition(":")
    if kind == START_FROM and name:
        return {"parent": name}
    if kind == START_NEW and name in TRAINABLE_NETWORKS:
        return {"network": name}
    raise UserError("How the network begins is not chosen; choose a new one or a classifier to go on from.")


def list_starts(workspace: Workspace, world: str) -> list[tuple[str, str]]:
    """List a start from scratch and from each classifier of the world: what is shown, and how it is written."""
    bases = dict.fromkeys(name.partition(":")[0] for name in workspace.store.list_classifiers(world))
    new = [(f"new {name}", f"{START_NEW}:{name}") for name in TRAINABLE_NETWORKS]
    return [*new, *((f"from {name}", f"{START_FROM}:{name}") for name in bases)]


def parse_seeds(text: object) -> tuple[int, ...]:
    """Parse whole numbers with commas between them, each once."""
    words = [word.strip() for word in str(text).split(",")]
    if not all(word.isdecimal() and len(word) < 10 for word in words):
        raise UserError(f"The seeds are {str(text)[:40]!r}; write whole numbers with commas between, such as 0, 1, 2.")
    found = tuple(dict.fromkeys(map(int, words)))
    if len(found) > MAX_SEEDS:
        raise UserError(f"These are {len(found)} seeds; at most {MAX_SEEDS} runs are started at once.")
    return found


def plan_runs(base: Config, of: Sequence[int], twin: bool, name: str) -> list[tuple[str, Config]]:
    """Return a run a seed and, where it is asked for, its baseline: the same in everything but the moves."""
    if twin and not base.augmentations:
        raise UserError("A run without a move is its own baseline; choose a move or leave the baseline out.")
    runs = []
    for seed in of:
        mark = f", seed {seed}" if len(of) > 1 else ""
        runs.append((name[: MAX_NAME_LETTERS - len(mark)] + mark, replace(base, seed=seed)))
        if twin:
            same = replace(base, seed=seed, augmentations=())
            runs.append((f"{BASELINE_PREFIX} of {name}"[: MAX_NAME_LETTERS - len(mark)] + mark, same))
    return runs


@dataclass(frozen=True, eq=False)
class BatchPreview:
    """The images of one update as the network gets them, what they were, and their soft labels."""

    step: int
    images: Images
    originals: Images
    targets: Targets
    rows: tuple[int, ...]  # of the training images
    exact: bool = True


def preview_run_batch(workspace: Workspace, wanted: Config, step: Any) -> BatchPreview:
    """Return the first images of the batch of that update, exactly as the run will see them."""
    drawn = make_update_batch(wanted, workspace.store, PREVIEW_STEP.check_value(step))
    count = min(PREVIEW_COUNT, len(drawn.batch))
    pictures, originals = round_levels(drawn.batch.images[:count]), round_levels(drawn.originals[:count])
    targets = drawn.batch.targets[:count].cpu()
    return BatchPreview(drawn.step, pictures, originals, targets, tuple(drawn.rows[:count].tolist()), drawn.exact)


def describe_training_speed(workspace: Workspace, wanted: Config) -> str:
    """Measure how fast the run would learn, and say what its budget buys; it will have as many threads as here."""
    speed = measure_training_speed(wanted, workspace.store)
    few = " That is very little: give more time, or a weaker move." if speed.updates < FEW_UPDATES else ""
    return (
        f"About {speed.images_per_second:,.0f} images per second here: the budget buys about {speed.updates:,} "
        f"updates of {speed.batch} images, in {speed.seconds:,.0f} s.{few}"
    )


def read_current_batch(folder: Path) -> BatchPreview | None:
    """Read the batch that a run trains on now, as it wrote it last; None before the first."""
    try:
        with safe_open(folder / SAMPLE_FILE, "pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
            step = int(file.metadata()["step"])
    except FileNotFoundError:
        return None
    pictures, originals = (tensors[name][:PREVIEW_COUNT].float() / 255 for name in ("images", "originals"))
    return BatchPreview(
        step, pictures, originals, tensors["targets"][:PREVIEW_COUNT], tuple(tensors["rows"][:PREVIEW_COUNT].tolist())
    )


def name_target_columns(workspace: Workspace, wanted: Config) -> tuple[str, ...]:
    """Return the names of the soft labels' columns."""
    world = workspace.load_dataset(wanted.world)
    if not world.multilabel:
        return world.classes
    attribute = wanted.attribute or (FIRST_ATTRIBUTE if FIRST_ATTRIBUTE in world.classes else world.classes[0])
    return f"not {attribute}", attribute

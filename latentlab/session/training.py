"""Training from the page: the run that a view and a form describe, its baseline, and the batch that it would see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from safetensors import safe_open

from latentlab.errors import UserError
from latentlab.knobs import Knob, Setting, changed, from_json
from latentlab.operators import METHODS
from latentlab.session.desk import Desk, levels
from latentlab.session.keep import name_of
from latentlab.session.state import Session
from latentlab.store import FIRST_ATTRIBUTE
from latentlab.training import NETWORKS, Augmentation, Config, batch_at
from latentlab.types import Images, Targets

UNITS = ("seconds", "minutes", "steps", "epochs")
BUDGET = Setting("budget", float, 60.0, Knob("after which the run ends", 0.1, 1_000_000))
STEP = Setting("step", int, 1, Knob("update whose batch is shown", 1, 1_000_000))
PROBABILITY = Setting("probability", float, 1.0, Knob("that an image goes through a move", 0, 1))
MOST_SEEDS = 5
MOST_LETTERS = 80  # of a name
BASELINE = "baseline"
SAMPLE = "batch.safetensors"
SHOWN = 16  # images of a batch
NEW, PARENT = "new", "from"  # how the start is written: new:resnet, from:digits-resnet


@dataclass(frozen=True)
class Wish:
    """What the form says beyond the knobs of a Config."""

    move: bool = True  # the one on the page
    methods: tuple[str, ...] = ()  # after it, in this order
    probability: float = 1.0
    start: str = f"{NEW}:resnet"
    selected: bool = False  # learn from the map's selection alone
    budget: float = 60.0
    unit: str = "seconds"  # one of UNITS


def move_of(session: Session) -> Augmentation:
    """The move on the page, in its space, as an augmentation."""
    tool = session.result.tool
    return Augmentation(name_of(tool), dict(changed(tool)), session.model)


def config(session: Session, wish: Wish, knobs: Mapping[str, Any]) -> Config:
    """The run of this view and form; every value may be a stranger's."""
    if unknown := [name for name in wish.methods if name not in METHODS]:
        raise UserError(f"There is no method {str(unknown[0])[:40]!r}; choose one of {', '.join(METHODS)}.")
    share = PROBABILITY.check(wish.probability)
    moves = [*([move_of(session)] if wish.move else []), *(Augmentation(name) for name in wish.methods)]
    own = {
        "world": session.world,
        "attribute": session.classifier.partition(":")[2],
        "augmentations": tuple(replace(move, probability=share) for move in moves),
        "rows": selected(session) if wish.selected else (),
    }
    return from_json(Config, {**knobs, **own, **_start(wish.start), **budget(wish.budget, wish.unit)})


def selected(session: Session) -> tuple[int, ...]:
    """The training images that the map's selection holds."""
    chosen = session.selection
    if chosen.source != "train" or not chosen.rows:
        raise UserError("No training images are selected; lasso some on the map of the training images first.")
    return chosen.rows


def budget(amount: float, unit: str) -> dict[str, Any]:
    """The three budgets of a Config, two of them without a limit."""
    if unit not in UNITS:
        raise UserError(f"The unit of the budget is {str(unit)[:20]!r}; choose one of {', '.join(UNITS)}.")
    amount, none = BUDGET.check(amount), {"minutes": 0.0, "steps": 0, "epochs": 0.0}
    match unit:
        case "seconds":
            return none | {"minutes": amount / 60}
        case "steps":
            return none | {"steps": max(1, round(amount))}
    return none | {unit: amount}


def _start(start: str) -> dict[str, str]:
    kind, _, name = str(start).partition(":")
    if kind == PARENT and name:
        return {"parent": name}
    if kind == NEW and name in NETWORKS:
        return {"network": name}
    raise UserError("How the network begins is not chosen; choose a new one or a classifier to go on from.")


def starts(desk: Desk, world: str) -> list[tuple[str, str]]:
    """From scratch, or from a classifier of the world; what is shown, and how it is written."""
    bases = dict.fromkeys(name.partition(":")[0] for name in desk.store.classifiers(world))
    new = [(f"new {name}", f"{NEW}:{name}") for name in NETWORKS]
    return [*new, *((f"from {name}", f"{PARENT}:{name}") for name in bases)]


def seeds(text: object) -> tuple[int, ...]:
    """Whole numbers with commas between them, each once."""
    words = [word.strip() for word in str(text).split(",")]
    if not all(word.isdecimal() and len(word) < 10 for word in words):
        raise UserError(f"The seeds are {str(text)[:40]!r}; write whole numbers with commas between, such as 0, 1, 2.")
    found = tuple(dict.fromkeys(map(int, words)))
    if len(found) > MOST_SEEDS:
        raise UserError(f"These are {len(found)} seeds; at most {MOST_SEEDS} runs are started at once.")
    return found


def family(base: Config, of: Sequence[int], twin: bool, name: str) -> list[tuple[str, Config]]:
    """A run a seed and, where it is asked for, its baseline: the same in everything but the moves."""
    if twin and not base.augmentations:
        raise UserError("A run without a move is its own baseline; choose a move or leave the baseline out.")
    runs = []
    for seed in of:
        mark = f", seed {seed}" if len(of) > 1 else ""
        runs.append((name[: MOST_LETTERS - len(mark)] + mark, replace(base, seed=seed)))
        if twin:
            same = replace(base, seed=seed, augmentations=())
            runs.append((f"{BASELINE} of {name}"[: MOST_LETTERS - len(mark)] + mark, same))
    return runs


@dataclass(frozen=True, eq=False)
class Shown:
    """The images of one update as the network gets them, what they were, and their soft labels."""

    step: int
    images: Images
    originals: Images
    targets: Targets
    rows: tuple[int, ...]  # of the training images
    exact: bool = True


def preview(desk: Desk, wanted: Config, step: Any) -> Shown:
    """The first images of the batch of that update, exactly as the run will see them."""
    drawn = batch_at(wanted, desk.store, STEP.check(step))
    count = min(SHOWN, len(drawn.batch))
    pictures, originals = levels(drawn.batch.images[:count]), levels(drawn.originals[:count])
    targets = drawn.batch.targets[:count].cpu()
    return Shown(drawn.step, pictures, originals, targets, tuple(drawn.rows[:count].tolist()), drawn.exact)


def current_sample(folder: Path) -> Shown | None:
    """The batch that a run trains on now, as it wrote it last; None before the first."""
    try:
        with safe_open(folder / SAMPLE, "pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
            step = int(file.metadata()["step"])
    except FileNotFoundError:
        return None
    pictures, originals = (tensors[name][:SHOWN].float() / 255 for name in ("images", "originals"))
    return Shown(step, pictures, originals, tensors["targets"][:SHOWN], tuple(tensors["rows"][:SHOWN].tolist()))


def classes_of(desk: Desk, wanted: Config) -> tuple[str, ...]:
    """The names of the soft labels' columns."""
    world = desk.dataset(wanted.world)
    if not world.multilabel:
        return world.classes
    attribute = wanted.attribute or (FIRST_ATTRIBUTE if FIRST_ATTRIBUTE in world.classes else world.classes[0])
    return f"not {attribute}", attribute

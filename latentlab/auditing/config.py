"""What an audit is asked: knobs, so that flags, form and JSON follow."""

from __future__ import annotations

from typing import Annotated, Literal

from latentlab.knobs import Knob, tool
from latentlab.training.augmented import Augmentation

MOST_MOVES = 6  # that stand side by side in one report


@tool
class Audit:
    """Every move is measured by itself, on the same images and with the same chance."""

    world: Annotated[str, Knob("data set")] = "digits"
    moves: Annotated[tuple[Augmentation, ...], Knob("moves, each by itself", 1, MOST_MOVES)] = (Augmentation(),)
    classifier: Annotated[str, Knob("classifier under test; empty for the world's quickest")] = ""
    judge: Annotated[str, Knob("another classifier that says what is left; empty for the world's best other")] = ""
    half: Annotated[Literal["test", "train"], Knob("half of the data set")] = "test"
    rows: Annotated[tuple[int, ...], Knob("images of that half; none for a stratified choice")] = ()
    images: Annotated[int, Knob("images of that choice", 1, 10_000)] = 1000
    batch: Annotated[int, Knob("images that are moved, and mixed, together", 1, 4096)] = 100
    distance: Annotated[float, Knob("mean l2 distance to bring every move to first; 0 for none", 0, 1000)] = 0.0
    keep: Annotated[float, Knob("share of labels that the judge must keep at the limit", 0.01, 0.999)] = 0.95
    reach: Annotated[int, Knob("images by which the limit is searched; 0 for no search", 0, 10_000)] = 200
    directions: Annotated[int, Knob("images by which directions of each space are ranked; 0 for none", 0, 2000)] = 100
    epochs: Annotated[float, Knob("of the full run whose hours are told; 0 for none", 0, 10_000)] = 0.0
    density: Annotated[str, Knob("flow that says bits/dim; empty for the world's Glow")] = ""
    seed: Annotated[int, Knob("of everything that is drawn", 0, 2**31 - 1)] = 0

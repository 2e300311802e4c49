"""Logits from what a network answers: a tensor, a tuple, a dictionary or an object, of logits or of probabilities."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from latentlab.errors import UserError
from latentlab.types import Logits

LogitPicker = Callable[[Any], Tensor]  # from what the network answers to one row an image
PROBABILITY_SLACK = 1e-3  # how far rounding takes a probability out of [0, 1], or a sum from 1; half precision included
MEND_LOGITS = "say where the logits are: store.add(name, network, classes, logits=lambda answer: …)"


def pick_logits(answer: Any) -> Tensor:
    """Return the tensor itself, what is called `logits`, the only tensor of a dictionary, or the first of a tuple."""
    if isinstance(answer, Tensor):
        return answer
    if isinstance(found := getattr(answer, "logits", None), Tensor):
        return found
    if isinstance(answer, Mapping):
        tensors = {name: value for name, value in answer.items() if isinstance(value, Tensor)}
        if "logits" in tensors or len(tensors) == 1:
            return tensors["logits"] if "logits" in tensors else next(iter(tensors.values()))
    elif isinstance(answer, Sequence) and answer and isinstance(answer[0], Tensor):
        return answer[0]
    raise UserError(f"The network answers {_describe_answer(answer)}; {MEND_LOGITS}.")


def _describe_answer(answer: Any) -> str:
    names = list(answer) if isinstance(answer, Mapping) else list(vars(answer)) if hasattr(answer, "__dict__") else []
    shown = ", ".join(str(name)[:30] for name in names[:5])
    return f"{type(answer).__name__}{f' with {shown}' if shown else ''}"


@dataclass(frozen=True)
class AnswerForm:
    """It is the way from a network's answer to one logit a class."""

    pick: LogitPicker = pick_logits
    single: bool = False  # one output, of the second of two classes
    probabilities: bool = False
    multilabel: bool = False  # every output has a sigmoid of its own

    def read_logits(self, answer: Any) -> Logits:
        columns = read_columns(answer, self.pick).float()
        if self.probabilities:
            tiny = torch.finfo(columns.dtype).tiny
            columns = columns.clamp_min(tiny).log() - (
                (1 - columns).clamp_min(torch.finfo(columns.dtype).eps).log() if self.single or self.multilabel else 0
            )
        return torch.cat([-columns / 2, columns / 2], 1) if self.single else columns


def read_columns(answer: Any, pick: LogitPicker) -> Tensor:
    """Return one row an image: a map of one pixel is flattened, and a single number becomes a row."""
    found = pick(answer)
    if not isinstance(found, Tensor):
        raise UserError(f"`logits` gives {type(found).__name__}; it must give a tensor with one row an image.")
    return found.flatten(1) if found.ndim > 1 and found[0].numel() == found.shape[1] else _stand_up(found)


def _stand_up(found: Tensor) -> Tensor:
    return found[:, None] if found.ndim == 1 else found


def find_answer_form(
    columns: Tensor, stretched: Tensor, names: Sequence[str], multilabel: bool, pick: LogitPicker
) -> tuple[AnswerForm, list[str]]:
    """Tell logits from probabilities by the answers to pictures and to pictures far out of range, and say it."""
    form = AnswerForm(pick, single=columns.shape[1] == 1 and not multilabel, multilabel=multilabel)
    _check_width(columns, names, form)
    bounded = _look_like_probabilities(stretched)
    sums = bounded and bool(((stretched.sum(1) - 1).abs() < PROBABILITY_SLACK).all())
    if bounded and not sums and not form.single and not multilabel:
        raise UserError(
            "The network answers numbers from 0 to 1 that do not add up to 1, as a sigmoid for each name does; "
            "for attributes say multilabel=True, else take it off, or give logits=lambda answer: answer.logit()."
        )
    form = AnswerForm(pick, form.single, bounded if form.single or multilabel else sums, multilabel)
    return form, _describe_form(form, names)


def _describe_form(form: AnswerForm, names: Sequence[str]) -> list[str]:
    notes = [f"its one output speaks for {names[1]!r}, the second name, against {names[0]!r}"] if form.single else []
    if form.probabilities:
        end = "a sigmoid" if form.single or form.multilabel else "a softmax"
        notes.append(f"it ends in {end}: its probabilities are turned back into logits")
    return notes


def _check_width(columns: Tensor, names: Sequence[str], form: AnswerForm) -> None:
    allowed = 2 if form.single else columns.shape[1] if columns.ndim == 2 else 0
    if allowed == len(names):
        return
    shape, fit = list(columns.shape), [len(columns), len(names)]
    what = f"For {len(columns)} images the network answers {shape}; with {len(names)} class names it must be {fit}"
    if form.single:
        raise UserError(f"{what}. One output stands for two classes: give two names, classes=('no', 'yes').")
    if columns.ndim == 2 and columns.shape[1] > 1:
        raise UserError(f"{what}. Give {columns.shape[1]} class names, or {MEND_LOGITS}.")
    raise UserError(f"{what}. Flatten its maps first, or {MEND_LOGITS}.")


def _look_like_probabilities(stretched: Tensor) -> bool:
    """Say whether not even absurd pictures drive the answers out of [0, 1]; a constant says nothing."""
    inside = float(stretched.min()) >= -PROBABILITY_SLACK and float(stretched.max()) <= 1 + PROBABILITY_SLACK
    constant = bool(((stretched - stretched[:1]).abs() < PROBABILITY_SLACK).all())
    summed = bool(((stretched.sum(1) - 1).abs() < PROBABILITY_SLACK).all()) and stretched.shape[1] > 1
    return inside and (summed or not constant)

"""The first images of an audit, as whole chunks: what every trial of a limit moves, read and judged once."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from latentlab.auditing.chunk import ask_network
from latentlab.auditing.image_source import ChosenRows
from latentlab.auditing.subject import AuditSubject
from latentlab.types import Batch


@dataclass(frozen=True, eq=False)
class TrialChunk:
    """Images that every trial moves, and which of them the judge knows as they are."""

    rows: ChosenRows
    batch: Batch
    known: Tensor


@torch.no_grad()
def load_trial_chunks(subject: AuditSubject) -> list[TrialChunk]:
    chunks = []
    for rows in choose_first_chunks(subject, subject.config.reach):
        batch = subject.take_batch(rows)
        judged = ask_network(subject.judge_network, subject.judge, batch.images)
        known = judged.argmax(1) == batch.targets.argmax(1)
        chunks.append(TrialChunk(rows, batch, known))
    return chunks


def choose_first_chunks(subject: AuditSubject, count: int) -> list[ChosenRows]:
    """Return as many whole chunks as hold so many images."""
    chosen: list[ChosenRows] = []
    for chunk in subject.chunks:
        if sum(map(len, chosen)) >= count:
            break
        chosen.append(chunk)
    return chosen

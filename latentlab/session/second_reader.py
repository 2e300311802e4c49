"""A second classifier that reads every picture beside the first, and where the two disagree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from latentlab.errors import UserError
from latentlab.session.actions import require_choice
from latentlab.session.state import Result, Session
from latentlab.session.workspace import Workspace
from latentlab.types import Images


@dataclass(frozen=True)
class SecondReading:
    """What the second classifier says of one picture, and what the first says of it."""

    reader: str
    classes: tuple[str, ...]
    probabilities: tuple[float, ...]
    label: str
    share: float
    first_label: str
    disagrees: bool  # of classifiers of the same classes alone


def list_second_readers(workspace: Workspace, session: Session) -> list[str]:
    """List the world's classifiers but the first."""
    return [name for name in workspace.store.list_classifiers(session.world) if name != session.classifier]


def choose_second_reader(workspace: Workspace, session: Session, name: str | None) -> Session:
    """Let another classifier read beside the first; none if the name is empty."""
    if not name:
        return replace(session, second="", notice="")
    require_choice("second reader", name, list_second_readers(workspace, session))
    if not workspace.can_classify(name, session.source.image):
        raise UserError(f"{name} cannot read these pictures; choose another second reader.")
    return replace(session, second=name, notice="")


def has_second_reader(workspace: Workspace, session: Session) -> bool:
    """Say whether a second classifier reads, and is not the first."""
    return session.second in list_second_readers(workspace, session)


def read_beside(workspace: Workspace, session: Session, image: Images, first: Sequence[float]) -> SecondReading | None:
    """Return what the second classifier sees where the first sees these probabilities; None where nobody is asked."""
    if not has_second_reader(workspace, session):
        return None
    classes = tuple(workspace.store.load(session.second).classes)
    seen = workspace.predict_picture(session.world, session.second, image, session.model)
    label = classes[seen.best_class]
    own = session.classes[max(range(len(first)), key=first.__getitem__)] if first else ""
    return SecondReading(
        session.second,
        classes,
        seen.probabilities,
        label,
        seen.probabilities[seen.best_class],
        own,
        bool(first) and classes == session.classes and label != own,
    )


def read_result_beside(workspace: Workspace, session: Session, done: Result) -> SecondReading | None:
    """Return what the second classifier sees in a result."""
    return read_beside(workspace, session, done.image, done.prediction.probabilities)

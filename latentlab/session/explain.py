"""Where the classifier looks in the picture and in what became of it."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from latentlab.errors import UserError
from latentlab.explainers import Explainer, Explanation, Heat
from latentlab.session.desk import Desk
from latentlab.session.state import Session
from latentlab.session.verbs import known
from latentlab.types import Images

BEFORE, AFTER = "before", "after"  # the class that is predicted of the original, or of the moved picture


@dataclass(frozen=True, eq=False)
class Explained:
    """Two pictures, original and moved, and one explanation of both, of the same class."""

    tool: Explainer
    classifier: str
    asked: str  # the class's name
    pictures: Images
    told: Explanation

    @property
    def difference(self) -> Heat:
        """What the move changed: moved minus original."""
        return self.told.heat[[1]] - self.told.heat[[0]]

    @property
    def reach(self) -> float:
        """Of the one scale of all maps: the largest of the 99.5 % least values of the two."""
        return float(self.told.heat.abs().flatten().quantile(0.995))


def explain(desk: Desk, session: Session, tool: Explainer, of: str) -> Explained:
    """Both pictures explained for one class: `before`, `after`, or a class by its name."""
    place = class_of(session, of)
    pictures = both(session)
    classifier = desk.store.load(session.classifier)
    device = desk.store.device
    told = tool.explain(pictures.to(device), classifier, torch.tensor([place, place], device=device))
    total = None if told.total is None else told.total.cpu()
    return Explained(tool, session.classifier, session.classes[place], pictures, Explanation(told.heat.cpu(), total))


def both(session: Session) -> Images:
    return torch.cat([session.source.image, session.result.image])


def class_of(session: Session, of: str) -> int:
    """The number of the class that is asked about."""
    if not session.classifier:
        raise UserError("There is no classifier to explain in this world; add one with `latentlab fit`.")
    if of in (BEFORE, AFTER):
        return (session.before if of == BEFORE else session.result.reading).best
    known("class", of, session.classes)
    return session.classes.index(of)


def still_true(explained: Explained, session: Session, tool: Explainer, of: str) -> bool:
    """Whether it is what the same question about the present pictures would give."""
    if (explained.tool, explained.classifier) != (tool, session.classifier):
        return False
    return explained.asked == session.classes[class_of(session, of)] and explained.pictures.equal(both(session))

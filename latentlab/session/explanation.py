"""An explanation of a move: where the classifier looks in the picture and in what became of it."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from latentlab.errors import UserError
from latentlab.explainers import Explainer, Explanation, HeatMaps
from latentlab.session.actions import require_choice
from latentlab.session.state import Session
from latentlab.session.workspace import Workspace
from latentlab.types import Images

CLASS_BEFORE, CLASS_AFTER = "before", "after"  # the class that is predicted of the original, or of the moved picture


@dataclass(frozen=True, eq=False)
class ExplainedPair:
    """Two pictures, original and moved, and one explanation of both, of the same class."""

    tool: Explainer
    classifier: str
    asked_class: str  # the class's name
    pictures: Images
    explanation: Explanation

    @property
    def heat_change(self) -> HeatMaps:
        """Return what the move changed: moved minus original."""
        return self.explanation.heat[[1]] - self.explanation.heat[[0]]

    @property
    def heat_limit(self) -> float:
        """Return the limit of the one scale of all maps: the largest of the 99.5 % least values of the two."""
        return float(self.explanation.heat.abs().flatten().quantile(0.995))


def explain_pair(workspace: Workspace, session: Session, tool: Explainer, of: str) -> ExplainedPair:
    """Explain both pictures for one class: `before`, `after`, or a class by its name."""
    place = find_asked_class(session, of)
    pictures = stack_pictures(session)
    classifier = workspace.store.load(session.classifier)
    device = workspace.store.device
    told = tool.explain_images(pictures.to(device), classifier, torch.tensor([place, place], device=device))
    total = None if told.total is None else told.total.cpu()
    return ExplainedPair(
        tool, session.classifier, session.classes[place], pictures, Explanation(told.heat.cpu(), total)
    )


def stack_pictures(session: Session) -> Images:
    """Return the original and the moved picture as one batch."""
    return torch.cat([session.source.image, session.result.image])


def find_asked_class(session: Session, of: str) -> int:
    """Return the number of the class that is asked about."""
    if not session.classifier:
        raise UserError("There is no classifier to explain in this world; add one with `latentlab fit`.")
    if of in (CLASS_BEFORE, CLASS_AFTER):
        return (session.before if of == CLASS_BEFORE else session.result.prediction).best_class
    require_choice("class", of, session.classes)
    return session.classes.index(of)


def is_still_current(explained: ExplainedPair, session: Session, tool: Explainer, of: str) -> bool:
    """Say whether it is what the same question about the present pictures would give."""
    if (explained.tool, explained.classifier) != (tool, session.classifier):
        return False
    return explained.asked_class == session.classes[find_asked_class(session, of)] and explained.pictures.equal(
        stack_pictures(session)
    )

"""The last views of one visitor, small enough to keep, and the way back to each."""

from __future__ import annotations

from dataclasses import replace

from torch.nn.functional import interpolate

from latentlab.errors import UserError
from latentlab.operators import Mix, Swap
from latentlab.session.desk import Desk, levels
from latentlab.session.state import Moment, Selection, Session
from latentlab.session.verbs import act, choose

KEPT = 20
SIDE = 32  # px of a small picture


def remembered(session: Session) -> Session:
    """The session with its view among the last ones; a view that is there already is not written twice."""
    if current(session) is not None:
        return session
    number = session.past[-1].number + 1 if session.past else 0
    small = interpolate(session.result.image, (SIDE, SIDE), mode="area")
    view = (session.world, session.model, session.classifier, session.source, session.partner)
    moment = Moment(number, *view, session.result.tool, session.seed, session.refined, levels(small))
    return replace(session, past=(*session.past, moment)[-KEPT:])


def current(session: Session) -> Moment | None:
    """The moment that is on the page now."""
    return next((moment for moment in reversed(session.past) if _same(moment, session)), None)


def _same(moment: Moment, session: Session) -> bool:
    tool = session.result.tool
    names = (moment.world, moment.model, moment.classifier, moment.seed, moment.tool, moment.refined)
    pair = moment.partner is session.partner or not isinstance(tool, Mix | Swap)
    now = (session.world, session.model, session.classifier, session.seed, tool, session.refined)
    return names == now and moment.source is session.source and pair


def go_back(desk: Desk, session: Session, number: int) -> Session:
    """The view of that number again; the later ones stay, so that one can go forward too."""
    moment = next((moment for moment in session.past if moment.number == number), None)
    if moment is None:
        raise UserError(f"This view is gone: the last {KEPT} are kept. Choose one of those shown.")
    back = replace(
        session,
        world=moment.world,
        source=moment.source,
        partner=moment.partner,
        seed=moment.seed,
        refined=moment.refined,
        photo=None,
    )
    if moment.world != session.world:
        back = replace(back, pinned=None, selection=Selection())
    back = choose(desk, back, moment.model, moment.classifier or None)
    return act(desk, back, moment.tool)

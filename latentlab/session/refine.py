"""A better encoding of the picture by optimisation, step by step, for the spaces that can."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from latentlab.session.desk import REFINE, Desk, psnr
from latentlab.session.state import Rebuilt, Refining, Session
from latentlab.session.verbs import again, clean, look

CHUNK = 5  # steps between two looks


def refine(desk: Desk, session: Session) -> Iterator[Session]:
    """How the rebuilding gets on, and at the end the same move from the improved encoding."""
    yield replace(session, refining=Refining(0, REFINE, clean(desk, session)))
    for step, latents in enumerate(desk.refining(session.model, session.source.image), 1):
        if step % CHUNK == 0:
            image = desk.decode(session.model, latents)
            state = Refining(step, REFINE, Rebuilt(image, psnr(image, session.source.image)))
            yield replace(session, refining=state)
    yield improved(desk, session)


def improved(desk: Desk, session: Session) -> Session:
    """The same move from the improved encoding, which is made where it is not remembered."""
    refined = session.refined | {session.model}
    return again(desk, look(desk, replace(session, refined=refined, refining=None, notice="")))


def unrefined(desk: Desk, session: Session) -> Session:
    """Back to the encoder's own encoding; a run that is on its way is given up."""
    refined = session.refined - {session.model}
    return again(desk, look(desk, replace(session, refined=refined, refining=None, notice="")))

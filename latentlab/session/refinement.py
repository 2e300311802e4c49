"""A better encoding of the picture by optimisation, step by step, for the spaces that can."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from latentlab.images import measure_psnr
from latentlab.session.actions import inspect_input, rebuild_input, repeat_move
from latentlab.session.state import Reconstruction, Refinement, Session
from latentlab.session.workspace import REFINE_STEPS, Workspace

REPORT_STEPS = 5  # steps between two looks


def refine_encoding(workspace: Workspace, session: Session) -> Iterator[Session]:
    """Yield how the rebuilding gets on, and at the end the same move from the improved encoding."""
    yield replace(session, refining=Refinement(0, REFINE_STEPS, rebuild_input(workspace, session)))
    for step, latents in enumerate(workspace.refine_latents(session.model, session.source.image), 1):
        if step % REPORT_STEPS == 0:
            image = workspace.decode_latents(session.model, latents)
            state = Refinement(step, REFINE_STEPS, Reconstruction(image, measure_psnr(image, session.source.image)))
            yield replace(session, refining=state)
    yield use_refined_encoding(workspace, session)


def use_refined_encoding(workspace: Workspace, session: Session) -> Session:
    """Repeat the move from the improved encoding, which is made where it is not remembered."""
    refined = session.refined | {session.model}
    return repeat_move(workspace, inspect_input(workspace, replace(session, refined=refined, refining=None, notice="")))


def use_plain_encoding(workspace: Workspace, session: Session) -> Session:
    """Go back to the encoder's own encoding; a run that is on its way is given up."""
    refined = session.refined - {session.model}
    return repeat_move(workspace, inspect_input(workspace, replace(session, refined=refined, refining=None, notice="")))

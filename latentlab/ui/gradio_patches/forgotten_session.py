"""Gradio forgets what it keeps for a visitor, and answers the next event as if nothing had ever been there.

The state of a session goes when there are more sessions than it has room for, and an hour after a browser has left or
fallen asleep (4.44.1 to 6.31). The next event reads the first values of the page, and a click does nothing. Here the
page is told that its session is gone, and Gradio's script opens it again, with the view of its address.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from gradio.server_messages import UnexpectedErrorMessage

MAX_SETTLED_SESSIONS = 4096  # 100 bytes each
FORGOTTEN_MESSAGE = UnexpectedErrorMessage(message="The session was forgotten.", session_not_found=True)


class SettledSessions:
    """`SettledSessions` remember who has had a state, when Gradio does not any more."""

    def __init__(self) -> None:
        self._names: OrderedDict[str, None] = OrderedDict()

    def note_answer(self, blocks: Any, session: str) -> None:
        """Remember the session, if it has a state by now."""
        if has_state(blocks, session):
            self._names[session] = None
            self._names.move_to_end(session)
            if len(self._names) > MAX_SETTLED_SESSIONS:
                self._names.popitem(last=False)

    def is_forgotten(self, blocks: Any, session: str) -> bool:
        return session in self._names and not has_state(blocks, session)


def has_state(blocks: Any, session: str) -> bool:
    """Say whether anything is kept for the session; to have been read makes a state of None."""
    kept = blocks.state_holder.session_data.get(session)
    return kept is not None and any(value is not None for value in kept.state_data.values())

"""Runs: a directory each, a process each; the page only asks, looks and waits.

A run belongs to nobody's page and to no server: it goes on when the page is closed and when the server is stopped or
killed, and the next server on the same folder finds it again. All that is known of a run is in its files, whose names
and meaning `layout` gives; nothing of what a run computes belongs here, that is `training` and `comparison`.

Whatever decides (who starts next, who is deleted) happens under the folder's lock: several servers may share it. What
comes from a machine that this one cannot see (a launcher's) lives as long as its files go on changing.
"""

from latentlab.runs.files import EventTail
from latentlab.runs.limits import Limits
from latentlab.runs.owner import make_token
from latentlab.runs.queue import Runs
from latentlab.runs.run import RUN_STATES, Run

__all__ = ["RUN_STATES", "EventTail", "Limits", "Run", "Runs", "make_token"]

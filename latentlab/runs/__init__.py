"""Runs: a directory each, a process each; the page only asks, looks and waits.

A run belongs to nobody's page and to no server: it goes on when the page is closed and when the server is stopped or
killed, and the next server on the same folder finds it again. All that is known of a run is in its files:

    config.json   verb, name, owner, knobs; never changed
    queued        waits here, with its ticket; the smallest number is next
    given         handed to the launcher, whose job has not begun
    child.json    the process: pid, time of its start, host
    stop          "stop" or "save": what the process is asked to do
    ending.json   how it ended, where the process itself could not say so
    events.jsonl, log.txt, resume.safetensors, run.safetensors    of the process itself

Whatever decides (who starts next, who is deleted) happens under the folder's lock: several servers may share it. What
comes from a machine that this one cannot see (a launcher's) lives as long as its files go on changing.
"""

from latentlab.runs.files import EventTail
from latentlab.runs.limits import Limits
from latentlab.runs.owner import make_token
from latentlab.runs.queue import Runs
from latentlab.runs.run import RUN_STATES, Run

__all__ = ["RUN_STATES", "EventTail", "Limits", "Run", "Runs", "make_token"]

"""The threads that the page computes with: as many as the runs beside it and a visitor's browser leave.

Threads wait for each other, and one that shares its core with another process makes all of them late at every step.
"""

from __future__ import annotations

import torch

from latentlab.runs import Runs


class ThreadBudget:
    """A `ThreadBudget` lends threads to the runs on this machine; what they have taken, nobody computes with here."""

    def __init__(self, runs: Runs | None) -> None:
        self._runs, self._all = runs, torch.get_num_threads()

    def limit_threads(self, spare: int = 0) -> None:
        """Compute from now on with all threads but those that the runs have taken, and `spare` more."""
        threads = max(1, self._all - spare - (self._runs.taken if self._runs else 0))
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)

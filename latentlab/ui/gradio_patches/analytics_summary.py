"""Gradio sums all events of the process up after each one, in pandas, for a page that we do not open.

Gradio (6.0 to 6.31, not yet 5.0) does so in a thread at the end of every event. Its own variable puts the next sum off
for ever.
"""

from __future__ import annotations

import os
import sys


def stop_summaries() -> None:
    """Switch the sums and the reports to Gradio's makers off; call before Gradio's queue is made."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["GRADIO_ANALYTICS_CACHE_FREQUENCY"] = str(sys.maxsize)

"""Gradio chooses its temporary folder when it is imported, and it is one that all users of the machine share.

Gradio (6.0 to 6.31) takes GRADIO_TEMP_DIR, else `gradio` in the system's temporary folder, where the first user's files
lock the others out. Here it gets a folder of its own (mode 0700), gone at exit, also where Gradio was imported before.
"""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
from pathlib import Path

OWN_PREFIX = "latentlab-"


def choose_temporary_folder() -> bool:
    """Give Gradio a folder of its own, unless the environment names one; say whether it did."""
    if "GRADIO_TEMP_DIR" in os.environ:
        return False
    os.environ["GRADIO_TEMP_DIR"] = folder = tempfile.mkdtemp(prefix=OWN_PREFIX)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    if routes := sys.modules.get("gradio.routes"):
        vars(routes)["DEFAULT_TEMP_DIR"] = folder
    return True


def find_own_folder() -> Path | None:
    """Return the folder that was made here, none where the environment named another."""
    folder = Path(os.environ.get("GRADIO_TEMP_DIR", ""))
    return folder if folder.name.startswith(OWN_PREFIX) and folder.parent == Path(tempfile.gettempdir()) else None

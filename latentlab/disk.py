"""What a disk refuses, in one line; and what it refuses only once is tried again."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from latentlab.errors import UserError

Made = TypeVar("Made")
RETRY_SECONDS = 0.2
TRANSIENT = (errno.EIO, errno.EAGAIN, errno.ESTALE)
REMEDIES = {
    errno.ENOSPC: "Make room, or name another folder.",
    errno.EDQUOT: "Make room in your quota, or name another folder.",
    errno.EFBIG: "Name another folder, or raise the limit of file sizes.",
    errno.EROFS: "Name a folder that can be written.",
    errno.EACCES: "Name a folder that you may write and read.",
    errno.EPERM: "Name a folder that you may write and read.",
    errno.EIO: "The disk fails; try again, and look after it.",
    errno.EEXIST: "Name another folder.",
    errno.ENOTDIR: "Name another folder.",
    errno.EISDIR: "Name a file, not a folder.",
    errno.ENAMETOOLONG: "Choose a shorter name.",
}


def explain_disk_error(error: OSError) -> str | None:
    """Return one line: what the disk refused, and what to do; none where it is no matter of disks."""
    remedy = REMEDIES.get(error.errno or 0)
    place = f"{error.filename}: " if error.filename else "The disk: "
    return remedy and f"{place}{error.strerror}. {remedy}"


@contextmanager
def explain_disk_errors() -> Iterator[None]:
    """Raise what a disk refuses as a person's error."""
    try:
        yield
    except OSError as error:
        if (line := explain_disk_error(error)) is None:
            raise
        raise UserError(line) from error


def retry_once(act: Callable[[], Made]) -> Made:
    """Act, and once more after a moment where the disk failed in a way that passes."""
    try:
        return act()
    except OSError as error:
        if error.errno not in TRANSIENT:
            raise
    time.sleep(RETRY_SECONDS)
    return act()

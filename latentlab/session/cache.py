"""A bounded memory of what has been computed, by key: what is asked for again is not computed again."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import RLock
from typing import Any

from torch import Tensor

CACHE_SIZE = 512  # encodings and pictures of 64 pixels: some tens of MB


class ResultCache:
    """A cache of the last results by key. One thread computes while others wait, so that nothing is computed twice."""

    def __init__(self, size: int = CACHE_SIZE) -> None:
        self._size, self._lock = size, RLock()
        self._kept: OrderedDict[Hashable, Any] = OrderedDict()

    def find_or_make(self, key: Hashable, make: Callable[[], Any]) -> Any:
        with self._lock:
            if key not in self._kept:
                self._kept[key] = make()
            self._kept.move_to_end(key)
            while len(self._kept) > self._size:
                self._kept.popitem(last=False)
            return self._kept[key]


def hash_pictures(pictures: Tensor) -> str:
    """Return a short digest of the pictures' values and shape: what they are, not where they lie."""
    plain = pictures.detach().cpu().contiguous()
    return hashlib.blake2b(plain.numpy().tobytes() + str(tuple(plain.shape)).encode(), digest_size=16).hexdigest()

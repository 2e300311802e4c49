"""Checkpoints on disk, listed without reading a weight, and the networks in them, loaded once.

How one checkpoint is written and read belongs in `models`; here they have names, a device and a lock.
"""

from latentlab.store.listing import infer_world
from latentlab.store.store import FIRST_ATTRIBUTE, Store

__all__ = ["FIRST_ATTRIBUTE", "Store", "infer_world"]

"""Checkpoints on disk, listed without reading a weight, and the networks in them, loaded once."""

from latentlab.store.store import BROUGHT_KIND, FIRST_ATTRIBUTE, Store, infer_world

__all__ = ["BROUGHT_KIND", "FIRST_ATTRIBUTE", "Store", "infer_world"]

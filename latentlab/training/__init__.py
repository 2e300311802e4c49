"""A classifier trained with the augmentations that the page shows: the same bits again for the same config."""

from latentlab.models.networks import Networks
from latentlab.training.config import NETWORKS, Augmentation, Config, command
from latentlab.training.loop import INTERRUPT, SAVE_TOO, STOP, Sample, batch_at, check, train
from latentlab.training.reports import Event
from latentlab.training.run import Files

__all__ = [
    "INTERRUPT",
    "NETWORKS",
    "SAVE_TOO",
    "STOP",
    "Augmentation",
    "Config",
    "Event",
    "Files",
    "Networks",
    "Sample",
    "batch_at",
    "check",
    "command",
    "train",
]

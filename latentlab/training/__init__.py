"""A classifier trained with the augmentations that the page shows: the same bits again for the same config."""

from latentlab.models.networks import NetworkSource
from latentlab.training.config import TRAINABLE_NETWORKS, Augmentation, Config, format_train_command
from latentlab.training.loop import (
    INTERRUPT_REQUEST,
    SAVE_REQUEST,
    STOP_REQUEST,
    UpdateSample,
    make_update_batch,
    require_trainable,
    train_classifier,
)
from latentlab.training.reports import RunEvent
from latentlab.training.run import RunFiles

__all__ = [
    "INTERRUPT_REQUEST",
    "SAVE_REQUEST",
    "STOP_REQUEST",
    "TRAINABLE_NETWORKS",
    "Augmentation",
    "Config",
    "NetworkSource",
    "RunEvent",
    "RunFiles",
    "UpdateSample",
    "format_train_command",
    "make_update_batch",
    "require_trainable",
    "train_classifier",
]

"""A classifier trained with the augmentations that the page shows: the same bits again for the same config.

Its config, its task, its learner and the events it tells. Where these are written down is `latentlab.runs`.
"""

from latentlab.models.networks import NetworkSource
from latentlab.training.augmented.config import TRAINABLE_NETWORKS, Augmentation, Config, format_train_command
from latentlab.training.augmented.events import RunEvent
from latentlab.training.augmented.run_state import RunFiles
from latentlab.training.augmented.speed import TrainingSpeed, measure_training_speed
from latentlab.training.augmented.train_loop import (
    INTERRUPT_REQUEST,
    SAVE_REQUEST,
    STOP_REQUEST,
    UpdateSample,
    make_update_batch,
    require_trainable,
    train_classifier,
)

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
    "TrainingSpeed",
    "UpdateSample",
    "format_train_command",
    "make_update_batch",
    "measure_training_speed",
    "require_trainable",
    "train_classifier",
]

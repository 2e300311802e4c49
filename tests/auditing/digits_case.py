"""The audit that the tests look at: few digits, two moves."""

from latentlab.auditing import Audit
from latentlab.training.augmented import Augmentation

MOVES = (Augmentation("randomized-la", {"epsilon": 40.0}), Augmentation("mixup"))
CONFIG = Audit(
    world="digits",
    moves=MOVES,
    classifier="digits-resnet-biased",
    judge="digits-resnet",
    images=47,
    batch=20,
    reach=20,
    directions=25,
    seed=3,
)

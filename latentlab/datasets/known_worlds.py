"""What is known of the worlds that have a name: the licence of their data, how to get them, and where they lie."""

from __future__ import annotations

import os
from pathlib import Path

WORLD_NAMES = ("digits", "cifar10", "mnist", "faces")
DATA_LICENCES = {
    "digits": "CC BY 4.0 (UCI Optical Recognition of Handwritten Digits, through scikit-learn)",
    "cifar10": "no licence stated; cite Krizhevsky 2009",
    "mnist": "CC BY-SA 3.0",
    "faces": "CelebA: non-commercial research only; cite Liu et al. 2015",
}
DATA_HINTS = {
    "cifar10": "run `latentlab data cifar10`, or put cifar-10-batches-py or cifar10.npz there",
    "mnist": "run `latentlab data mnist`, or put MNIST/raw or mnist.npz there",
    "faces": "put faces.npz there (`latentlab data faces` describes it)",
}


def find_data_folder(folder: Path | None = None) -> Path:
    return Path(folder or os.environ.get("LATENTLAB_DATA") or "data")

"""The papers' headlines, each tested by one experiment: arms as published, controls at equal distance, paired seeds.

An experiment is a module and a row of `EXPERIMENTS`; `cells` does it, `report` judges its claims, `chart` draws it.
"""

from latentlab.experiments.bias import BIAS
from latentlab.experiments.clusters import CLUSTERS
from latentlab.experiments.corruptions import CORRUPTION_ROBUSTNESS
from latentlab.experiments.experiment import Effort, Experiment
from latentlab.experiments.outcome import reproduce_experiment
from latentlab.experiments.wrong_labels import WRONG_LABELS

__all__ = ["EXPERIMENTS", "Effort", "Experiment", "reproduce_experiment"]

EXPERIMENTS: dict[str, Experiment] = {
    "bias": BIAS,
    "clusters": CLUSTERS,
    "wrong-labels": WRONG_LABELS,
    "corruptions": CORRUPTION_ROBUSTNESS,
}

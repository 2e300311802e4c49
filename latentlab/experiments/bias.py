"""Gowal et al. 2020 (AdvMix): a classifier made invariant to style does not learn a colour that goes with the class.

Of `digits-biased` nine of ten training digits wear their class's hue; the test digits wear any.
"""

from __future__ import annotations

from functools import partial

from latentlab.experiments.experiment import Claim, Effort, Experiment, Figure
from latentlab.experiments.training_arms import TrainingArm, measure_training_cell, settle_training_arms
from latentlab.training.augmented import Augmentation

BIASED, UNBIASED = "digits-biased", "digits"
SPACE = "digits-stylegan2"

ARMS: dict[str, TrainingArm] = {
    "standard": TrainingArm((), BIASED),
    "rebuilt": TrainingArm((Augmentation("reconstruct", {}, SPACE),), BIASED),
    "mixup": TrainingArm((Augmentation("mixup"),), BIASED),
    "randmix": TrainingArm((Augmentation("randmix"),), BIASED),
    "advmix": TrainingArm((Augmentation("advmix"),), BIASED),
    "noise at equal distance": TrainingArm((Augmentation("noise", {}, SPACE),), BIASED, "randmix", "epsilon"),
    "recoloured": TrainingArm((), UNBIASED),
}
PROTOCOL = {"network": "resnet", "fraction": 0.2, "validation": 0, "batch": 32}


BIAS = Experiment(
    title="invariance to style removes a spurious correlation",
    paper="AdvMix (Gowal et al. 2020)",
    full=Effort(seeds=5, steps=300, images=64),
    quick=Effort(seeds=2, steps=2, images=8),
    figures={
        "accuracy": Figure("unbiased test digits"),
        "corrupted": Figure("under corruptions"),
        "nll": Figure("NLL", is_share=False, higher_is_better=False, is_plotted=False),
    },
    claims=(
        Claim("randmix over standard", "randmix", "standard", "accuracy", is_published=True),
        Claim("advmix over standard", "advmix", "standard", "accuracy", is_published=True),
        Claim("advmix over randmix", "advmix", "randmix", "accuracy", is_published=True),
        Claim("the swap, not the rebuilding: randmix over rebuilt", "randmix", "rebuilt", "accuracy"),
        Claim(
            "the swap, not its size: randmix over noise at equal distance",
            "randmix",
            "noise at equal distance",
            "accuracy",
        ),
        Claim("randmix over mixup", "randmix", "mixup", "accuracy"),
        Claim("the ceiling, recoloured digits, over randmix", "recoloured", "randmix", "accuracy"),
    ),
    settle_arms=partial(settle_training_arms, ARMS),
    measure_cell=partial(measure_training_cell, PROTOCOL),
    notes=(
        "The StyleGAN2 was fitted on all training digits in all colours, so it has seen what the biased set lacks.",
        "Recoloured: the same digits with hues drawn without regard to the class.",
    ),
)

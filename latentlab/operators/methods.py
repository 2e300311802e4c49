"""The published methods, each an operator with settings and the place the settings come from."""

from __future__ import annotations

from dataclasses import dataclass

from latentlab.operators.adversary import Adversary
from latentlab.operators.mix import Mix
from latentlab.operators.noise import Noise
from latentlab.operators.pixel_augmentations import Blur, CutMix, RebuiltMixup, Standard
from latentlab.operators.swap import Swap
from latentlab.types import Operator


@dataclass(frozen=True)
class Method:
    """An operator as a paper uses it, the kind of model it was made for, and where its settings are from."""

    operator: Operator
    space: str  # a kind of model, or any
    source: str


PIXEL_PGD = Adversary(epsilon=8 / 255, norm="linf", steps=7, step_size=0.25, start="random", label="true")

METHODS: dict[str, Method] = {
    "randomized-la": Method(
        Noise(epsilon=20.0, shape="sphere"),
        "glow",
        "Yuksel et al. 2021, arXiv 2108.07958; the CIFAR-10 example of okyksl/flow-lp: l2, ε 20",
    ),
    "away-la": Method(
        Noise(epsilon=20.0, shape="away"),
        "glow",
        "Yuksel et al. 2021: FlowAwayPert of okyksl/flow-lp; its ε is not published, 20 is that of randomized-la",
    ),
    "adversarial-la": Method(
        Adversary(epsilon=1.0, norm="l2", steps=3, step_size=0.5, start="random", label="predicted"),
        "glow",
        "Yuksel et al. 2021, arXiv 2108.07958; the CIFAR-10 example of okyksl/flow-lp: l2, ε 1, α 0.5, 3 steps",
    ),
    "varmixup": Method(
        Mix(partner="random", weight="beta", alpha=1.0),
        "vae",
        "Mangla et al. 2020, arXiv 2003.06566; their α is not published, 1 is mixup's",
    ),
    "mixup-r": Method(
        RebuiltMixup(alpha=1.0),
        "vae",
        "Mangla et al. 2020: their control between mixup and VarMixup, as far as is known; α as for varmixup",
    ),
    "k-mixup": Method(
        Mix(partner="transport", weight="beta", alpha=10.0, k=16),
        "pixels",
        "Greenewald et al. 2023, arXiv 2106.02933; as in AnmingGu/kmixup-cifar10: α 10, k 16; squared distances",
    ),
    "randmix": Method(
        Swap(parts=("fine",), partner="random", steps=0),
        "stylegan2",
        "Gowal et al. 2020, arXiv 1912.03192; their cut between content and style is not published, fine is ours",
    ),
    "advmix": Method(
        Swap(parts=("fine",), partner="random", steps=5, epsilon=2.0, step_size=0.4, label="true"),
        "stylegan2",
        "Gowal et al. 2020, arXiv 1912.03192; cut, radius and steps are not published, these are ours",
    ),
    "reconstruct": Method(Noise(epsilon=0.0), "any", "the control: what the model alone does to an image"),
    "mixup": Method(
        Mix(partner="random", weight="beta", alpha=1.0),
        "pixels",
        "Zhang et al. 2018, arXiv 1710.09412; α 1 on CIFAR-10",
    ),
    "blur": Method(Blur(sigma=1.0), "any", "the control: detail lost without a model"),
    "cutmix": Method(CutMix(alpha=1.0), "any", "Yun et al. 2019, arXiv 1905.04899; α 1 on CIFAR-10"),
    "pixel-pgd": Method(
        PIXEL_PGD,
        "pixels",
        "Madry et al. 2018, arXiv 1706.06083; their CIFAR-10 training: l∞, ε 8/255, 7 steps of 2/255",
    ),
    "standard": Method(
        Standard(padding=4, flip=True),
        "any",
        "He et al. 2016, arXiv 1512.03385; on CIFAR-10 a crop from a frame of 4 pixels and mirroring",
    ),
}

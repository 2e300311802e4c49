"""Explainers show a classifier's attention: how much each pixel speaks for a class. Signed where the method is."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import interpolate

from latentlab.errors import UserError
from latentlab.explainers.feature_maps import compute_map_gradient
from latentlab.knobs import Knob, tool
from latentlab.torch_modes import copy_inference_tensor
from latentlab.types import Images, Labels

HeatMaps = Float[Tensor, "B H W"]  # above 0: speaks for the class
BaselineColour = Literal["black", "grey", "white"]
BASELINE_LEVELS: dict[str, float] = {"black": 0.0, "grey": 0.5, "white": 1.0}


@dataclass(frozen=True, eq=False)
class Explanation:
    """A heat map for each image; where the method is complete, with the `total` in logits that it should add up to."""

    heat: HeatMaps
    total: Float[Tensor, " B"] | None = None

    @property
    def completeness_gap(self) -> Float[Tensor, " B"] | None:
        """Return the completeness error |Σ heat − total| / |total|; not finite where there is nothing to add up to."""
        if self.total is None:
            return None
        return (self.heat.flatten(1).sum(1) - self.total).abs() / self.total.abs()


class Explainer(ABC):
    """It takes images, a classifier and a class for each image to heat maps. The score explained is its logit."""

    unit: ClassVar[str]
    quick: ClassVar[bool]  # a few passes through the classifier: may follow a slider

    def __call__(self, images: Images, classifier: nn.Module, target: Labels) -> HeatMaps:
        return self.explain_images(images, classifier, target).heat

    def explain_images(self, images: Images, classifier: nn.Module, target: Labels) -> Explanation:
        """Hang captum's hooks not on the classifier's modules but on those of a twin that nobody else sees."""
        with torch.inference_mode(False), torch.enable_grad():
            target = copy_inference_tensor(target)
            return self._explain_twin(images.detach().clone().requires_grad_(), _make_twin(classifier), target)

    @abstractmethod
    def _explain_twin(self, images: Images, twin: nn.Module, target: Labels) -> Explanation: ...


@tool
class Saliency(Explainer):
    """max_c |∂ logit / ∂ x_c|: where a small change of the pixel changes the score most. Simonyan et al. 2013."""

    unit: ClassVar[str] = "logits per unit of intensity"
    quick: ClassVar[bool] = True

    def _explain_twin(self, images: Images, twin: nn.Module, target: Labels) -> Explanation:
        from captum import attr

        return Explanation(attr.Saliency(twin).attribute(images, target=target).amax(1).detach())


@tool
class IntegratedGradients(Explainer):
    """(x − x₀) ∫ ∂ logit / ∂ x along the straight line from the baseline x₀, summed over channels.

    Sundararajan et al. 2017. Complete: the map adds up to logit(x) − logit(x₀), but for the error of the quadrature.
    """

    unit: ClassVar[str] = "logits"
    quick: ClassVar[bool] = False
    steps: Annotated[int, Knob("points of the quadrature", 2, 500)] = 128
    baseline: Annotated[BaselineColour, Knob("where the line starts; pixels of its colour get nothing")] = "black"
    internal_batch_size: Annotated[int, Knob("images in one pass; bounds the memory", 1, 1024)] = 32

    def _explain_twin(self, images: Images, twin: nn.Module, target: Labels) -> Explanation:
        from captum import attr

        nothing = torch.full_like(images, BASELINE_LEVELS[self.baseline]).detach()
        given = attr.IntegratedGradients(twin).attribute(
            images,
            nothing,
            target=target,
            n_steps=self.steps,
            internal_batch_size=max(self.internal_batch_size, len(images)),
        )
        heat = given.sum(1).detach().to(images.dtype)
        return Explanation(
            heat, _compute_class_logits(twin, images, target) - _compute_class_logits(twin, nothing, target)
        )


@tool
class Occlusion(Explainer):
    """logit(x) − logit(x with a square hidden), mean over the squares that cover a pixel. Zeiler and Fergus 2014."""

    unit: ClassVar[str] = "logits"
    quick: ClassVar[bool] = False
    window: Annotated[int, Knob("side of the square", 1, 64, unit="px")] = 6
    stride: Annotated[int, Knob("from one square to the next", 1, 64, unit="px")] = 3
    baseline: Annotated[BaselineColour, Knob("what hides it")] = "grey"

    def _explain_twin(self, images: Images, twin: nn.Module, target: Labels) -> Explanation:
        from captum import attr

        channels, *sides = images.shape[1:]
        if self.window > min(sides) or self.stride > self.window:
            raise UserError(
                f"window is {self.window} and stride {self.stride}; the window must fit into {min(sides)} pixels "
                "and the stride into the window."
            )
        with torch.no_grad():
            given = attr.Occlusion(twin).attribute(
                images.detach(),
                (channels, self.window, self.window),
                (channels, self.stride, self.stride),
                baselines=BASELINE_LEVELS[self.baseline],
                target=target,
                perturbations_per_eval=16,
            )
        return Explanation(given.mean(1).to(images.dtype))  # a square hides all channels: they are equal


@tool
class GradCAM(Explainer):
    """The last map of the picture, its channels weighted by the mean gradient of the logit. Selvaraju et al. 2017.

    Tokens are laid out as the patches lie in the picture.
    """

    unit: ClassVar[str] = "activation × logits per activation"
    quick: ClassVar[bool] = True
    only_for: Annotated[bool, Knob("cut off what speaks against the class, as published")] = True

    def _explain_twin(self, images: Images, twin: nn.Module, target: Labels) -> Explanation:
        maps, slopes = compute_map_gradient(twin, images, target)
        heat = (slopes.mean((2, 3), keepdim=True) * maps).sum(1, keepdim=True)
        heat = heat.relu() if self.only_for else heat
        return Explanation(interpolate(heat, images.shape[2:], mode="bilinear")[:, 0].detach().to(images.dtype))


EXPLAINERS: dict[str, type[Explainer]] = {
    "saliency": Saliency,
    "grad-cam": GradCAM,
    "integrated-gradients": IntegratedGradients,
    "occlusion": Occlusion,
}


def _make_twin(classifier: nn.Module) -> nn.Module:
    """Put the same tensors into modules of their own, in eval mode, where no ReLU overwrites its input."""
    shared = {id(tensor): tensor for tensor in (*classifier.parameters(), *classifier.buffers())}
    twin = copy.deepcopy(classifier, dict(shared)).eval()
    for module in twin.modules():
        if getattr(module, "inplace", False):
            module.inplace = False  # type: ignore[assignment]
    return twin


@torch.no_grad()
def _compute_class_logits(twin: nn.Module, images: Images, target: Labels) -> Float[Tensor, " B"]:
    return twin(images).gather(1, target[:, None])[:, 0]

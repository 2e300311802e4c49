"""What fits of autoencoders with a map for a code share: pixels, features of a frozen classifier and a discrepancy that
bites; then a flow learns what the codes are like.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Real
from torch import Tensor, nn

from latentlab import chance
from latentlab.datasets import Dataset
from latentlab.errors import UserError
from latentlab.models.code_flow import CodeMap
from latentlab.models.map_autoencoder import MapAutoencoder, ResidualBlock
from latentlab.models.precision import autocast_bf16
from latentlab.models.principal_components import find_principal_components
from latentlab.models.stylegan2.layers import StyledConv, ToImage
from latentlab.training import distributed
from latentlab.training.fitters.eye import Eye
from latentlab.training.fitters.glow import separate_kernels
from latentlab.training.muon import Muon
from latentlab.training.schedule import flip_randomly, set_rate
from latentlab.types import Flat, Images, Logits

COMPONENT_IMAGES = 20_000  # images of which the principal components are taken
LOCAL_IMAGES = 2_000  # of which patches are taken
AUTOENCODER_SHARE = 0.6  # share of the fit in which encoder and decoder learn; the prior has the rest
PIXEL_WEIGHT = 20.0  # weight of the mean squared error beside the features, which are relative to their own size
ANSWER_WEIGHT = 0.4  # of what the classifier says in the end, in nats
DISCREPANCY_WEIGHT = 1.0
CODE_NOISE = 0.05  # deviation of what is added to a code before it is decoded, and before the prior sees it
HIGHEST_RATES = {"muon": 5e-4, "adam": 5e-4, "lines": 2e-5, "styled": 1e-3}  # at 1e-3 what PCA knew is lost at first
HIGHEST_PRIOR_RATES = {"prior muon": 4e-3, "prior adam": 3e-3}
BANDWIDTHS = (0.25, 0.5, 1.0, 2.0)  # of the median squared distance of the prior
POSITIONS, PROJECTIONS, PROJECTED_WIDTH = 256, 4, 8


@dataclass(frozen=True, eq=False)
class Sight:
    """What a classifier sees in images, resolution by resolution, and what it says of them."""

    maps: list[Tensor]
    logits: Logits

    def __getitem__(self, rows: slice) -> Sight:
        return Sight([each[rows] for each in self.maps], self.logits[rows])


class MapAutoencoderFitter(ABC):
    """It fits what rebuilds, then the prior; what is rebuilt, and what it costs, each kind of network says."""

    batch, average = 64, 0.999

    def __init__(self, world: Dataset, arguments: dict[str, Any], network: MapAutoencoder) -> None:
        self.arguments = arguments
        self.network = network
        self.world, self.mirrored = world, world.allows_mirroring
        self._eye: tuple[Eye, ...] = ()  # frozen, so no part of the state
        self.modules = nn.ModuleDict({"network": self.network})
        self.modules.register_buffer("prior_begun", torch.zeros((), dtype=torch.bool))
        groups = share_out_parameters(self.network)
        couplings, others = separate_kernels(self.network.prior)
        self.rates = {name: HIGHEST_RATES[name] for name in groups}
        adam: dict[str, Any] = {"betas": (0.9, 0.99), "weight_decay": 0}
        self.optimisers: dict[str, torch.optim.Optimizer] = {
            "muon": Muon(groups.pop("muon"), HIGHEST_RATES["muon"]),
            **{name: torch.optim.AdamW(group, HIGHEST_RATES[name], **adam) for name, group in groups.items()},
            "prior muon": Muon(couplings, HIGHEST_PRIOR_RATES["prior muon"]),
            "prior adam": torch.optim.Adam(others, HIGHEST_PRIOR_RATES["prior adam"], (0.9, 0.99)),
        }

    def attach_eye(self, eye: Eye) -> None:
        self._eye = (eye,)

    def begin(self, images: Images) -> None:
        small = shrink_images(self.take_plain_images(), self.network.pooled)
        if self.network.local:
            patches = self.network.fold(small[:LOCAL_IMAGES])
            small = patches.permute(0, 2, 3, 1).reshape(-1, patches.shape[1], 1, 1)
        self.network.start_from_components(find_principal_components(small, len(self.network.analysis.weight)))

    def take_plain_images(self) -> Tensor:
        """Return training images as the lines see them, of 256 levels: those of which components are taken."""
        return self.world.train.images[:COMPONENT_IMAGES]

    def step(self, images: Images, labels: Tensor, rng: torch.Generator, progress: float) -> dict[str, float]:
        if self.mirrored:
            images = flip_randomly(images, rng)
        images = images.contiguous(memory_format=torch.channels_last)
        if progress < AUTOENCODER_SHARE:
            return self._step_autoencoder(images, rng, progress / AUTOENCODER_SHARE)
        return self._step_prior(images, rng, (progress - AUTOENCODER_SHARE) / (1 - AUTOENCODER_SHARE))

    @abstractmethod
    def compute_terms(self, images: Images, rng: torch.Generator) -> tuple[dict[str, Tensor], CodeMap]:
        """Return what rebuilding these images costs, and the maps that they are rebuilt from."""

    def look_at_images(self, images: Images) -> Sight:
        """Return what the frozen classifier sees and says."""
        if not self._eye:
            raise UserError("This fit needs an eye: --eye FILE, a resnet or resnet18 of the same data.")
        (eye,) = self._eye
        maps = eye.extract_maps(images)
        return Sight(maps, eye.classify_maps(maps[-1]))

    def compare_rebuilt(self, rebuilt: Images, images: Images, seen: Sight, wanted: Sight) -> dict[str, Tensor]:
        """Return how far rebuilt images are off, in pixels and in the eye."""
        return {
            "pixels": PIXEL_WEIGHT * F.mse_loss(rebuilt, images),
            "features": compare_features(seen.maps, wanted.maps),
            "answers": ANSWER_WEIGHT * compute_divergence(seen.logits, wanted.logits, self.world.multilabel),
        }

    def _step_autoencoder(self, images: Images, rng: torch.Generator, progress: float) -> dict[str, float]:
        with autocast_bf16(images.device.type):
            terms, raw = self.compute_terms(images, rng)
        terms["mmd"] = DISCREPANCY_WEIGHT * measure_discrepancy(raw, rng)
        self._apply_gradients(torch.stack(list(terms.values())).sum(), self.rates, progress)
        return {name: term.item() for name, term in terms.items()} | {
            "deviation": raw.std().item(),
            "mmd of a sample": measure_discrepancy(chance.draw_normal(raw.shape, rng), rng).item(),
        }

    def _step_prior(self, images: Images, rng: torch.Generator, progress: float) -> dict[str, float]:
        flow = self.network.prior
        with torch.no_grad(), autocast_bf16(images.device.type):
            raw = self.network.encode_raw(images)
        raw = raw + CODE_NOISE * chance.draw_normal(raw.shape, rng).to(raw)
        begun = self.modules.get_buffer("prior_begun")
        if not begun and bool((flow.deviation == 1).all()):  # else an earlier fit has begun it
            flow.initialise_actnorms(raw)
        begun.fill_(True)
        nats = -flow.log_prob(raw).mean() / flow.mean.numel()
        self._apply_gradients(nats, HIGHEST_PRIOR_RATES, progress)
        return {"nats a coordinate": nats.item()}

    def _apply_gradients(self, loss: Tensor, rates: dict[str, float], progress: float) -> None:
        """Take one step of these optimisers, whose highest rates are given."""
        groups = [group for name in rates for group in self.optimisers[name].param_groups]
        parameters = [parameter for group in groups for parameter in group["params"]]
        self.network.zero_grad(set_to_none=True)
        loss.backward()
        distributed.average_gradients(parameters)
        nn.utils.clip_grad_norm_(parameters, 1.0)
        for name, peak in rates.items():
            set_rate(self.optimisers[name], peak, progress)
            self.optimisers[name].step()

    def finish(self, network: nn.Module, world: Dataset) -> None:
        assert isinstance(network, MapAutoencoder)
        network.round_to_half()
        rows = chance.draw_permutation(len(world.train), chance.make_generator(1))[:5000]
        device = network.centre.device
        few = [network.encode_raw(world.train.take_batch(r)[0].to(device)) for r in rows.split(200)]
        network.prior.standardise(torch.cat([network.prior.run_flow(raw)[0] for raw in few]))


def share_out_parameters(network: MapAutoencoder) -> dict[str, list[Tensor]]:
    """Return all but the prior, by what they learn at: kernels between layers of one width, what starts as PCA, layers
    whose weights have unit variance, and the rest.
    """
    blocks = [block for block in network.modules() if isinstance(block, ResidualBlock)]
    styled = [layer for layer in network.modules() if isinstance(layer, StyledConv | ToImage)]
    groups: dict[str, list[Tensor]] = {
        "muon": [conv.weight for block in blocks for conv in (block.first, block.second)],
        "lines": [network.analysis.weight, network.synthesis.weight],
        "styled": [parameter for layer in styled for parameter in layer.parameters()],
    }
    others = {*network.prior.parameters(), *(parameter for group in groups.values() for parameter in group)}
    groups["adam"] = [p for p in network.parameters() if p not in others]
    return {name: group for name, group in groups.items() if group}


def compare_features(features: list[Tensor], wanted: list[Tensor]) -> Tensor:
    """Return the mean square per scale, relative to what is wanted."""
    pairs = zip(features, wanted, strict=True)
    return torch.stack([F.mse_loss(a.float(), b.float()) / b.float().square().mean() for a, b in pairs]).mean()


def shrink_images(images: Real[Tensor, "N C H W"], factor: int) -> Tensor:
    """Shrink images of 256 levels by this factor."""
    if factor == 1:
        return images
    return torch.cat([F.avg_pool2d(some.float(), factor).round().byte() for some in images.split(1000)])


def compute_divergence(answers: Logits, truth: Logits, multilabel: bool) -> Tensor:
    """Return Kullback and Leibler's, of what is said of the rebuilt images from what is said of the images."""
    if multilabel:
        answers, truth = (torch.stack([-x / 2, x / 2], -1).flatten(0, 1) for x in (answers, truth))
    return F.kl_div(answers.log_softmax(1), truth.log_softmax(1), reduction="batchmean", log_target=True)


def measure_discrepancy(raw: CodeMap, rng: torch.Generator) -> Tensor:
    """Measure how far the vectors of single positions, and whole codes from a few random sides, are from N(0, I)."""
    channels = raw.shape[1]
    vectors = raw.permute(0, 2, 3, 1).reshape(-1, channels)
    vectors = vectors[torch.randint(len(vectors), (POSITIONS,), generator=rng)]
    found = [estimate_mmd(vectors, chance.draw_normal(vectors.shape, rng).to(raw))]
    flat = raw.flatten(1)
    for _ in range(PROJECTIONS):
        side = torch.linalg.qr(chance.draw_normal((flat.shape[1], PROJECTED_WIDTH), rng))[0].to(raw)
        seen = flat @ side
        found.append(estimate_mmd(seen, chance.draw_normal(seen.shape, rng).to(raw)))
    return torch.stack(found).mean()


def estimate_mmd(a: Flat, b: Flat) -> Tensor:
    """Estimate the squared maximum mean discrepancy without a bias: of either sign where both have one law.

    Gaussian kernels around the median squared distance of two such points, 2 D (Gretton et al. 2012, lemma 6).
    """

    def kernel(x: Flat, y: Flat) -> Tensor:
        squares = torch.cdist(x, y).square() / (2 * x.shape[1])
        return torch.stack([torch.exp(-squares / width) for width in BANDWIDTHS]).mean(0)

    def among(x: Flat) -> Tensor:
        return (kernel(x, x).sum() - len(x)) / (len(x) * (len(x) - 1))

    return among(a) + among(b) - 2 * kernel(a, b).mean()

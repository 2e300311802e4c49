"""The fit of a StyleGAN2 that starts from a map: it rebuilds, and with a partner's style it shows the same thing.

A picture with the finer styles of another is to be seen as what it was, and its first features to have the partner's
means and deviations (adaptive instance normalisation, Huang, Belongie 2017, arXiv 1703.06868).
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latentlab import chance
from latentlab.datasets import Dataset
from latentlab.models.classifiers.resnet import FeatureMaps
from latentlab.models.code_flow import CodeMap
from latentlab.models.stylegan2.spatial import RawStyles, SpatialStyleGAN2, measure_palette, remove_palette
from latentlab.training.fitters.map_autoencoder import (
    CODE_NOISE,
    COMPONENT_IMAGES,
    MapAutoencoderFitter,
    compute_divergence,
)
from latentlab.types import Images

SMALL_SIZE: dict[str, Any] = {"channels": (192, 96, 32), "content": 12, "stride": 4}
SPATIAL_STYLEGAN2_SIZES: dict[str, dict[str, Any]] = {
    "faces": {"channels": (128, 96, 48, 24), "content": 32, "stride": 8, "local": True, "width": 128},
}
SWAPPED_WEIGHT = 0.2  # of what the classifier says of a picture in another's style, in nats
STYLE_WEIGHT = 0.3  # of the partner's means and deviations of features
WHITENING_IMAGES = 5000


class SpatialStyleGAN2Fitter(MapAutoencoderFitter):
    network: SpatialStyleGAN2

    def __init__(self, world: Dataset, device: str) -> None:
        arguments = {"image_shape": world.image_shape, **SPATIAL_STYLEGAN2_SIZES.get(world.name, SMALL_SIZE)}
        super().__init__(world, arguments, SpatialStyleGAN2(**arguments))

    def take_plain_images(self) -> Tensor:
        images = self.world.train.images[:COMPONENT_IMAGES]
        few = (some.float() / 255 for some in images.split(1000))
        return 255 * torch.cat([remove_palette(some, measure_palette(some)) for some in few])

    def compute_terms(self, images: Images, rng: torch.Generator) -> tuple[dict[str, Tensor], CodeMap]:
        """Rebuild all images, and show the first half of them in the styles of the other half."""
        raw, styles = self.network.encode_parts(images)
        noisy, half = raw + CODE_NOISE * chance.draw_normal(raw.shape, rng).to(raw), len(images) // 2
        mixed = borrow_fine_styles(styles[:half], styles[half : 2 * half], rng)
        made = self.network.synthesise_images(torch.cat([noisy, noisy[:half]]), torch.cat([styles, mixed]))
        seen = self.look_at_images(made)
        with torch.no_grad():
            wanted = self.look_at_images(images)
        terms = self.compare_rebuilt(made[: len(images)], images, seen[: len(images)], wanted)
        swapped = seen[len(images) :]
        terms["answers of swapped"] = SWAPPED_WEIGHT * compute_divergence(
            swapped.logits, wanted.logits[:half], self.world.multilabel
        )
        terms["style"] = STYLE_WEIGHT * compare_statistics(swapped.maps[0], wanted.maps[0][half : 2 * half])
        return terms, raw

    def finish(self, network: nn.Module, world: Dataset) -> None:
        super().finish(network, world)
        assert isinstance(network, SpatialStyleGAN2)
        rows = chance.draw_permutation(len(world.train), chance.make_generator(1))[:WHITENING_IMAGES]
        few = (world.train.take_batch(r)[0].to(network.centre.device) for r in rows.split(200))
        network.whiten_styles(torch.cat([network.encode_parts(images)[1] for images in few]))


def borrow_fine_styles(styles: RawStyles, partners: RawStyles, rng: torch.Generator) -> RawStyles:
    """Return styles that are the partner's from some resolution on, the finest always."""
    resolutions = styles.shape[1]
    cut = torch.randint(resolutions, (len(styles), 1, 1), generator=rng)
    fine = torch.arange(resolutions)[:, None] >= cut
    return torch.where(fine.to(styles.device), partners, styles)


def compare_statistics(features: FeatureMaps, wanted: FeatureMaps) -> Tensor:
    """Return the mean square between the means and deviations of each channel, relative to what is wanted."""
    ours, theirs = (torch.cat([x.float().mean((2, 3)), x.float().std((2, 3))], 1) for x in (features, wanted))
    return F.mse_loss(ours, theirs) / theirs.square().mean()

"""The fit of a VAE whose code is a map."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from latentlab import chance
from latentlab.datasets import Dataset
from latentlab.models.code_flow import CodeMap
from latentlab.models.spatial_vae import SpatialVAE
from latentlab.training.fitters.map_autoencoder import CODE_NOISE, MapAutoencoderFitter
from latentlab.types import Images

SMALL_SIZE = {"channels": 8, "stride": 4}
SPATIAL_VAE_SIZES: dict[str, dict[str, Any]] = {
    "faces": {"channels": 12, "stride": 8, "pooled": 2, "fine": 48},
}


class SpatialVAEFitter(MapAutoencoderFitter):
    network: SpatialVAE

    def __init__(self, world: Dataset, device: str) -> None:
        arguments = {"image_shape": world.image_shape, **SPATIAL_VAE_SIZES.get(world.name, SMALL_SIZE)}
        super().__init__(world, arguments, SpatialVAE(**arguments))

    def compute_terms(self, images: Images, rng: torch.Generator) -> tuple[dict[str, Tensor], CodeMap]:
        raw = self.network.encode_raw(images)
        rebuilt = self.network.decode_raw(raw + CODE_NOISE * chance.draw_normal(raw.shape, rng).to(raw))
        with torch.no_grad():
            wanted = self.look_at_images(images)
        return self.compare_rebuilt(rebuilt, images, self.look_at_images(rebuilt), wanted), raw

"""Generator, encoder and discriminator learn together.

The generator answers the discriminator on drawn, mixed and rebuilt codes (non-saturating logistic loss, lazy R1, style
mixing); the encoder learns to rebuild real images in pixels and in the discriminator's features, and to find the codes
of generated ones. Real and drawn codes are crossed, so that parts of a real image's code can be swapped afterwards.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latentlab import chance
from latentlab.datasets import Dataset
from latentlab.models.precision import autocast_bf16
from latentlab.models.stylegan2.discriminator import Discriminator
from latentlab.models.stylegan2.generator import StyleCodes, StyleGAN2
from latentlab.training import distributed
from latentlab.training.fitters.diffaugment import DiffAugment
from latentlab.training.fitters.map_autoencoder import compare_features
from latentlab.training.schedule import flip_randomly
from latentlab.types import Images

STYLEGAN2_SIZES: dict[str, dict[str, Any]] = {
    "digits": {"channels": (64, 64, 64, 32), "style_dim": 64, "mapping_layers": 3},
    "cifar10": {"channels": (256, 256, 128, 64), "style_dim": 128, "mapping_layers": 4},
    "faces": {"channels": (128, 128, 128, 64, 32), "style_dim": 128, "mapping_layers": 4},
}
ADAM_RATE = 2e-3
R1_WEIGHT, R1_EVERY = 2.0, 16  # penalty on |∇D|² for images in [-1, 1]
STYLE_MIXING_SHARE = 0.5  # share of the drawn codes that change their style at some layer
PIXEL_WEIGHT, FEATURE_WEIGHT, LATENT_WEIGHT, PRIOR_WEIGHT, REBUILT_WEIGHT = 10.0, 2.0, 0.5, 0.02, 0.5
MEASURE_EVERY = 64


class StepCounter(nn.Module):
    """The number of steps so far, kept with the weights so that a resumed fit keeps its rhythm."""

    step: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("step", torch.tensor(0))


class StyleGAN2Fitter:
    batch, average = 16, 0.998

    def __init__(self, world: Dataset, device: str) -> None:
        sizes = STYLEGAN2_SIZES.get(world.name, STYLEGAN2_SIZES["faces"])
        doublings = (world.image_shape[1] // 4).bit_length()
        channels = (sizes["channels"] + (sizes["channels"][-1],) * doublings)[:doublings]
        self.arguments: dict[str, Any] = {"image_shape": world.image_shape} | sizes | {"channels": channels}
        self.network = StyleGAN2(**self.arguments).to(device)
        self.discriminator = Discriminator(world.image_shape[0], channels).to(device)
        self.mirrored = world.allows_mirroring
        self.augment = DiffAugment(colour=True)
        self.clock = StepCounter()
        self.modules = nn.ModuleDict(
            {
                "network": self.network,
                "discriminator": self.discriminator,
                "augment": self.augment,
                "clock": self.clock,
            }
        )
        adam = {"lr": ADAM_RATE, "betas": (0.0, 0.99), "eps": 1e-8, "fused": True}
        self.optimisers: dict[str, torch.optim.Optimizer] = {
            "network": torch.optim.Adam(self.network.parameters(), **adam),
            "discriminator": torch.optim.Adam(self.discriminator.parameters(), **adam),
        }

    def begin(self, images: Images) -> None:
        self.network.measure_whitening(chance.make_generator(0), 1024)

    def step(self, images: Images, labels: Tensor, rng: torch.Generator, progress: float) -> dict[str, float]:
        images = flip_randomly(images, rng) if self.mirrored else images
        images = images.contiguous(memory_format=torch.channels_last)
        step = int(self.clock.step)
        if step % MEASURE_EVERY == 0:
            self.network.measure_whitening(chance.make_generator(0), 1024)
        for optimiser in self.optimisers.values():
            optimiser.param_groups[0]["lr"] = ADAM_RATE * min(1.0, max(0.05, (1 - progress) / 0.2))
        values, fakes, rebuilt = self._update_generator(images, rng)
        values |= self._update_discriminators(images, fakes, rebuilt, rng)
        if step % R1_EVERY == 0:
            self._penalise_slope(images, rng)
        self.clock.step += 1
        return values | {"p": self.augment.p.item()}

    def _update_generator(self, images: Images, rng: torch.Generator) -> tuple[dict[str, float], Tensor, Tensor]:
        """Make one update of generator and encoder.

        Its losses come back, and the drawn and the rebuilt images that it was made from, for the discriminator.
        """
        network, encoder, half = self.network, self.network.encoder, len(images) // 2
        assert encoder is not None
        real, seed = images[:half], int(torch.randint(2**62, (1,), generator=rng))
        self.discriminator.requires_grad_(False)
        with autocast_bf16(images.device.type):
            white = encoder(real)
            codes = self._draw_codes(len(images), network.colour_codes(white).detach(), rng)
            both = torch.cat([codes, network.colour_codes(white)])
            made = network.synthesise_images(both, network.draw_noises(len(both), rng))
            seen = self.augment(made, chance.make_generator(seed))
            target = self.augment(real.repeat(3, 1, 1, 1), chance.make_generator(seed))[2 * half :]
            features = self.discriminator.trunk(seen)
            with torch.no_grad():
                wanted = self.discriminator.trunk(target)
            fake, again = self._judge_both_kinds(features[-1], len(images))
            found = encoder(made[: len(images)].detach())
        terms = {
            "fool": compute_realness_loss(fake) + REBUILT_WEIGHT * compute_realness_loss(again),
            "pixels": PIXEL_WEIGHT * F.mse_loss(made[len(images) :], real),
            "features": FEATURE_WEIGHT * compare_features([f[len(images) :] for f in features], wanted),
            "latent": LATENT_WEIGHT * F.mse_loss(found, network.whiten_codes(codes).detach()),
            "prior": PRIOR_WEIGHT * white.square().mean(),
        }
        self._take_step("network", torch.stack(list(terms.values())).sum())
        made = made.detach()
        return {name: term.item() for name, term in terms.items()}, made[: len(images)], made[len(images) :]

    def _draw_codes(self, count: int, real: Tensor, rng: torch.Generator) -> StyleCodes:
        """Draw codes; some change to a second drawn style, and a quarter to a real image's, from some layer on."""
        network = self.network
        z = chance.draw_normal((2 * count, network.style_dim), rng).to(real.device)
        first, second = network.broadcast_style(network.mapping(z).float()).chunk(2)
        quarter = count // 4
        second = torch.cat([real[:quarter], second[quarter:]])
        cut = torch.randint(1, network.layers, (count, 1, 1), generator=rng)
        cut[quarter:][chance.draw_uniform((count - quarter, 1, 1), rng) > STYLE_MIXING_SHARE] = network.layers
        fine = torch.arange(network.layers)[:, None] >= cut
        fine[: quarter // 2] = ~fine[: quarter // 2]
        return torch.where(fine.to(real.device), second, first)

    def _judge_both_kinds(self, coarse: Tensor, count: int) -> tuple[Tensor, Tensor]:
        """Return the logits of the drawn and of the rebuilt images, each compared among its own kind."""
        return self.discriminator.judge_features(coarse[:count]), self.discriminator.judge_features(coarse[count:])

    def _update_discriminators(
        self, images: Images, fakes: Tensor, rebuilt: Tensor, rng: torch.Generator
    ) -> dict[str, float]:
        self.discriminator.requires_grad_(True)
        with autocast_bf16(images.device.type):
            seen = self.augment(torch.cat([images, fakes, rebuilt]), rng)
            features = self.discriminator.trunk(seen)[-1]
            real = self.discriminator.judge_features(features[: len(images)])
            fake, again = self._judge_both_kinds(features[len(images) :], len(fakes))
        self._take_step("discriminator", _compute_discriminator_loss(real, fake, again))
        self.augment.adapt_probability(real)
        return {"real": real.mean().item(), "fake": fake.mean().item(), "rebuilt": again.mean().item()}

    def _penalise_slope(self, images: Images, rng: torch.Generator) -> None:
        """Take a step against the slope at real images: lazy R1 (Mescheder et al. 2018)."""
        seen = self.augment(images, rng).detach().requires_grad_()
        with autocast_bf16(images.device.type):
            logits = self.discriminator(seen)
        (slope,) = torch.autograd.grad(logits.sum(), seen, create_graph=True)
        penalty = slope.float().square().sum((1, 2, 3)).mean() / 4
        self._take_step("discriminator", R1_EVERY * R1_WEIGHT / 2 * penalty)

    def _take_step(self, name: str, loss: Tensor) -> None:
        optimiser = self.optimisers[name]
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        distributed.average_gradients(self.modules[name].parameters())
        optimiser.step()

    def finish(self, network: nn.Module, world: Dataset) -> None:
        assert isinstance(network, StyleGAN2)
        network.measure_whitening(chance.make_generator(1))


def compute_realness_loss(logits: Tensor) -> Tensor:
    """Return what a generator wants of generated images, and a discriminator of real ones: softplus(−logit)."""
    return F.softplus(-logits).mean()


def _compute_discriminator_loss(real: Tensor, fake: Tensor, again: Tensor) -> Tensor:
    """Return the loss of a discriminator: real images are to be told from drawn and from rebuilt ones."""
    return compute_realness_loss(real) + (
        compute_realness_loss(-fake) + REBUILT_WEIGHT * compute_realness_loss(-again)
    ) / (1 + REBUILT_WEIGHT)

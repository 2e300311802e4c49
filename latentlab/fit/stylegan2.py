"""Generator, encoder and discriminator learn together.

The generator answers the discriminator on drawn, mixed and rebuilt codes (non-saturating logistic loss, lazy R1, style
mixing); the encoder learns to rebuild real images in pixels and in the discriminator's features, and to find the codes
of generated ones. Real and drawn codes are crossed, so that parts of a real image's code can be swapped afterwards.
A classifier of the world, where there is one, lends its eye: a second discriminator, and features to rebuild.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latentlab import chance
from latentlab.data import World
from latentlab.fit import parallel
from latentlab.fit.diffaugment import DiffAugment
from latentlab.fit.eye import Eye, Patches, fooled
from latentlab.fit.schedule import flip
from latentlab.models.discriminator import Discriminator
from latentlab.models.precision import autocast
from latentlab.models.stylegan2 import Codes, StyleGAN2
from latentlab.types import Images

SIZES: dict[str, dict[str, Any]] = {
    "digits": {"channels": (64, 64, 64, 32), "style_dim": 64, "mapping_layers": 3},
    "cifar10": {"channels": (256, 256, 128, 64), "style_dim": 128, "mapping_layers": 4},
    "faces": {"channels": (128, 128, 128, 64, 32), "style_dim": 128, "mapping_layers": 4},
}
RATE = 2e-3
EYE_RATE = 5e-4
R1, R1_EVERY = 2.0, 16  # penalty on |∇D|² for images in [-1, 1]
MIXING = 0.5  # share of the drawn codes that change their style at some layer
PIXELS, FEATURES, SEEN, LATENT, PRIOR, REBUILT = 10.0, 2.0, 2.0, 0.5, 0.02, 0.5
MEASURE_EVERY = 64


class Clock(nn.Module):
    """The number of steps so far, kept with the weights so that a resumed fit keeps its rhythm."""

    step: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("step", torch.tensor(0))


class StyleGAN2Fitter:
    batch, average = 16, 0.998

    def __init__(self, world: World, device: str) -> None:
        sizes = SIZES.get(world.name, SIZES["faces"])
        doublings = (world.image_shape[1] // 4).bit_length()
        channels = (sizes["channels"] + (sizes["channels"][-1],) * doublings)[:doublings]
        self.arguments: dict[str, Any] = {"image_shape": world.image_shape} | sizes | {"channels": channels}
        self.network = StyleGAN2(**self.arguments).to(device)
        self.discriminator = Discriminator(world.image_shape[0], channels).to(device)
        self.eye: Eye | None = None
        self.mirrored = world.mirrored
        self.augment = DiffAugment(colour=True)
        self.clock = Clock()
        self.modules = nn.ModuleDict(
            {
                "network": self.network,
                "discriminator": self.discriminator,
                "augment": self.augment,
                "clock": self.clock,
            }
        )
        adam = {"lr": RATE, "betas": (0.0, 0.99), "eps": 1e-8, "fused": True}
        self.optimisers: dict[str, torch.optim.Optimizer] = {
            "network": torch.optim.Adam(self.network.parameters(), **adam),
            "discriminator": torch.optim.Adam(self.discriminator.parameters(), **adam),
        }

    def look_with(self, eye: Eye) -> None:
        self.eye = self.modules["eye"] = eye
        self.optimisers["eye"] = torch.optim.Adam(eye.parameters(), EYE_RATE, betas=(0.0, 0.99), fused=True)

    def begin(self, images: Images) -> None:
        self.network.measure(chance.seeded(0), 1024)

    def step(self, images: Images, labels: Tensor, rng: torch.Generator, progress: float) -> dict[str, float]:
        images = flip(images, rng) if self.mirrored else images
        images = images.contiguous(memory_format=torch.channels_last)
        step = int(self.clock.step)
        if step % MEASURE_EVERY == 0:
            self.network.measure(chance.seeded(0), 1024)
        for name, optimiser in self.optimisers.items():
            rate = EYE_RATE if name == "eye" else RATE
            optimiser.param_groups[0]["lr"] = rate * min(1.0, max(0.05, (1 - progress) / 0.2))
        values, fakes, rebuilt = self._create(images, rng)
        values |= self._judge(images, fakes, rebuilt, rng)
        if step % R1_EVERY == 0:
            self._penalise(images, rng)
        self.clock.step += 1
        return values | {"p": self.augment.p.item()}

    def _create(self, images: Images, rng: torch.Generator) -> tuple[dict[str, float], Tensor, Tensor]:
        """One update of generator and encoder; the images it was made from come back for the discriminator."""
        network, encoder, half = self.network, self.network.encoder, len(images) // 2
        assert encoder is not None
        real, seed = images[:half], int(torch.randint(2**62, (1,), generator=rng))
        self.discriminator.requires_grad_(False)
        with autocast(images.device.type):
            white = encoder(real)
            codes = self._codes(len(images), network.colour(white).detach(), rng)
            both = torch.cat([codes, network.colour(white)])
            made = network.synthesis(both, network.noises(len(both), rng))
            seen = self.augment(made, chance.seeded(seed))
            target = self.augment(real.repeat(3, 1, 1, 1), chance.seeded(seed))[2 * half :]
            features = self.discriminator.trunk(seen)
            with torch.no_grad():
                wanted = self.discriminator.trunk(target)
            fake, again = self._judged(features[-1], len(images))
            found = encoder(made[: len(images)].detach())
            looked = self._looked(seen, target, len(images)) if self.eye else {}
        terms = looked | {
            "fool": fooled(fake) + REBUILT * fooled(again),
            "pixels": PIXELS * F.mse_loss(made[len(images) :], real),
            "features": FEATURES * _apart([f[len(images) :] for f in features], wanted),
            "latent": LATENT * F.mse_loss(found, network.whiten(codes).detach()),
            "prior": PRIOR * white.square().mean(),
        }
        self._update("network", torch.stack(list(terms.values())).sum())
        made = made.detach()
        return {name: term.item() for name, term in terms.items()}, made[: len(images)], made[len(images) :]

    def _looked(self, seen: Images, target: Tensor, drawn: int) -> dict[str, Tensor]:
        """What the eye makes of generated images, the drawn ones first; the rebuilt ones should look like `target`."""
        assert self.eye is not None
        maps = self.eye.requires_grad_(False).maps(seen)
        logits = self.eye.judge(maps)
        with torch.no_grad():
            wanted = self.eye.maps(target)
        return {
            "fool eye": fooled(logits[:drawn]) + REBUILT * fooled(logits[drawn:]),
            "seen": SEEN * _apart([m[drawn:] for m in maps], wanted),
        }

    def _codes(self, count: int, real: Tensor, rng: torch.Generator) -> Codes:
        """Drawn codes; some change to a second drawn style, and a quarter to a real image's, from some layer on."""
        network = self.network
        z = chance.normal((2 * count, network.style_dim), rng).to(real.device)
        first, second = network.broadcast(network.mapping(z).float()).chunk(2)
        quarter = count // 4
        second = torch.cat([real[:quarter], second[quarter:]])
        cut = torch.randint(1, network.layers, (count, 1, 1), generator=rng)
        cut[quarter:][chance.uniform((count - quarter, 1, 1), rng) > MIXING] = network.layers
        fine = torch.arange(network.layers)[:, None] >= cut
        fine[: quarter // 2] = ~fine[: quarter // 2]
        return torch.where(fine.to(real.device), second, first)

    def _judged(self, coarse: Tensor, count: int) -> tuple[Tensor, Tensor]:
        """Logits of the drawn and of the rebuilt images, each compared among its own kind."""
        return self.discriminator.judge(coarse[:count]), self.discriminator.judge(coarse[count:])

    def _judge(self, images: Images, fakes: Tensor, rebuilt: Tensor, rng: torch.Generator) -> dict[str, float]:
        self.discriminator.requires_grad_(True)
        with autocast(images.device.type):
            seen = self.augment(torch.cat([images, fakes, rebuilt]), rng)
            features = self.discriminator.trunk(seen)[-1]
            real = self.discriminator.judge(features[: len(images)])
            fake, again = self._judged(features[len(images) :], len(fakes))
            looks = self._looks(seen).split([len(images), len(fakes), len(rebuilt)]) if self.eye else ()
        self._update("discriminator", _caught(real, fake, again))
        if looks:
            self._update("eye", _caught(*looks))
        self.augment.follow(real)
        return {"real": real.mean().item(), "fake": fake.mean().item(), "rebuilt": again.mean().item()}

    def _looks(self, seen: Images) -> Patches:
        assert self.eye is not None
        with torch.no_grad():
            maps = self.eye.requires_grad_(True).maps(seen)
        return self.eye.judge(maps)

    def _penalise(self, images: Images, rng: torch.Generator) -> None:
        """Lazy R1 (Mescheder et al. 2018)."""
        seen = self.augment(images, rng).detach().requires_grad_()
        with autocast(images.device.type):
            logits = self.discriminator(seen)
        (slope,) = torch.autograd.grad(logits.sum(), seen, create_graph=True)
        penalty = slope.float().square().sum((1, 2, 3)).mean() / 4
        self._update("discriminator", R1_EVERY * R1 / 2 * penalty)

    def _update(self, name: str, loss: Tensor) -> None:
        optimiser = self.optimisers[name]
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        parallel.reduce(self.modules[name].parameters())
        optimiser.step()

    def finish(self, network: nn.Module, world: World) -> None:
        assert isinstance(network, StyleGAN2)
        network.measure(chance.seeded(1))


def _caught(real: Tensor, fake: Tensor, again: Tensor) -> Tensor:
    """The loss of a discriminator: real images are to be told from drawn and from rebuilt ones."""
    return fooled(real) + (fooled(-fake) + REBUILT * fooled(-again)) / (1 + REBUILT)


def _apart(features: list[Tensor], wanted: list[Tensor]) -> Tensor:
    """Mean square per scale, relative to what is wanted."""
    pairs = zip(features, wanted, strict=True)
    return torch.stack([F.mse_loss(a.float(), b.float()) / b.float().square().mean() for a, b in pairs]).mean()

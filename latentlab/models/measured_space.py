"""Two functions of one's own as a latent model: standard coordinates are measured, samples follow their Gaussian."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor, nn

from latentlab import chance
from latentlab.models.code_search import search_codes
from latentlab.types import Flat, Images, ImageShape, Latents, Nats

Code = Tensor | Mapping[str, Tensor] | Sequence[Tensor]  # one tensor, or parts with or without names, each `B …`
EncodeFunction = Callable[[Tensor], Code]
DecodeFunction = Callable[..., Tensor]
LogProbFunction = Callable[[Tensor], Tensor]

LEAST_DEVIATION = 1e-3  # of a coordinate, relative to its part's: one that does not vary is not blown up
FIRST_DRAWS, SEARCH_STEPS = 64, 150  # where there is no encoder: samples to begin with, steps of optimisation,
EASY_PIXELS, FEWEST_DRAWS, FEWEST_STEPS = (
    64 * 64,
    16,
    10,
)  # of pictures so large; fewer of larger ones, for they cost more
GREY_LEVELS = 256


@dataclass(frozen=True)
class CodeForm:
    """How the functions write a code: a tensor, a mapping of parts, or a sequence of them."""

    names: tuple[str, ...]
    container: type

    def name_parts(self, code: Code) -> dict[str, Tensor]:
        """Return the code's parts by name, in float32."""
        parts = code if isinstance(code, Mapping) else dict(zip(self.names, as_sequence(code), strict=True))
        return {name: parts[name].float() for name in self.names}

    def restore_code(self, parts: Mapping[str, Tensor]) -> Code:
        """Return the parts as the functions write them."""
        if self.container is Tensor:
            return parts[self.names[0]]
        return dict(parts) if self.container is dict else tuple(parts.values())


def find_code_form(code: Code) -> CodeForm:
    """Find out how a function writes its codes."""
    if isinstance(code, Mapping):
        return CodeForm(tuple(code), dict)
    if isinstance(code, Tensor):
        return CodeForm(("code",), Tensor)
    return CodeForm(tuple(f"part {place + 1}" for place in range(len(code))), tuple)


def as_sequence(code: Code) -> Sequence[Tensor]:
    return [code] if isinstance(code, Tensor) else list(code.values()) if isinstance(code, Mapping) else code


@dataclass(frozen=True)
class SpaceFunctions:
    """The functions, the device that they compute on, and how many pictures they take at once."""

    encode: EncodeFunction | None
    decode: DecodeFunction
    form: CodeForm
    device: torch.device
    batch: int

    def encode_images(self, images: Images) -> dict[str, Tensor]:
        """Encode a batch after the other; parts come back where the images are."""
        assert self.encode is not None
        codes = [self.form.name_parts(self.encode(few.to(self.device))) for few in images.split(self.batch)]
        return {name: torch.cat([code[name] for code in codes]).to(images.device) for name in self.form.names}

    def decode_parts(self, parts: Mapping[str, Tensor]) -> Images:
        """Decode a batch after the other; images come back where the parts are."""
        home = next(iter(parts.values())).device
        pieces = zip(*(part.split(self.batch) for part in parts.values()), strict=True)
        images = [
            self.decode(self.form.restore_code({name: p.to(self.device) for name, p in zip(parts, piece, strict=True)}))
            for piece in pieces
        ]
        return torch.cat(images).float().to(home)


class MeasuredSpace(nn.Module):
    """z = (c − mean) / deviation, a coordinate; samples follow N(0, (1 − s) S + s I), S the codes' covariance.

    The functions are used as they are, not copied. Without an encoder codes are found by optimisation.
    """

    mean: Tensor
    deviation: Tensor
    codes: Tensor

    def __init__(self, functions: SpaceFunctions, parts: Mapping[str, Tensor], image_shape: ImageShape) -> None:
        super().__init__()
        self.functions, self.image_shape = functions, image_shape
        self.directions: dict[str, Tensor] = {}
        self.notes: tuple[str, ...] = ()
        self.template = Latents({name: part[:1] for name, part in parts.items()})
        flat = torch.cat([part.flatten(1) for part in parts.values()], 1)
        self.register_buffer("mean", flat.mean(0))
        self.register_buffer("deviation", measure_part_deviations(parts))
        self.register_buffer("codes", (flat - self.mean) / self.deviation)
        self.shrinkage = measure_shrinkage(self.codes)

    def encode(self, images: Images) -> Latents:
        if self.functions.encode is None:
            return self.refine(images, self._find_nearest_draws(images), self.scale_effort(SEARCH_STEPS, FEWEST_STEPS))
        parts = Latents(self.functions.encode_images(images))
        return parts.unflat((parts.flat - self.mean.to(images)) / self.deviation.to(images))

    def decode(self, latents: Latents) -> Images:
        flat = latents.flat
        return self.functions.decode_parts(latents.unflat(flat * self.deviation.to(flat) + self.mean.to(flat)).parts)

    def sample(self, count: int, rng: torch.Generator) -> Latents:
        known, shared = len(self.codes), 1 - self.shrinkage
        along = chance.draw_normal((count, known), rng).to(self.codes) @ self.codes / max(known - 1, 1) ** 0.5
        apart = chance.draw_normal((count, self.codes.shape[1]), rng).to(self.codes)
        return self.template.unflat(shared**0.5 * along + self.shrinkage**0.5 * apart)

    def refine(self, images: Images, latents: Latents, steps: int) -> Latents:
        *_, last = self.refine_stepwise(images, latents, steps)
        return last

    def refine_stepwise(self, images: Images, latents: Latents, steps: int) -> Iterator[Latents]:
        for flat in search_codes(lambda z: self.decode(latents.unflat(z)), images, latents.flat, steps):
            yield latents.unflat(flat)

    @property
    def encoder(self) -> EncodeFunction | None:
        return self.functions.encode

    def scale_effort(self, most: int, least: int) -> int:
        """Return `most` for easy pictures, and fewer the more pixels there are."""
        _, height, width = self.image_shape
        return max(least, min(most, most * EASY_PIXELS // (height * width)))

    def _find_nearest_draws(self, images: Images) -> Latents:
        """Return of some samples the one that looks most like each image."""
        drawn, shown = self._first_draws
        nearest = torch.cdist(images.flatten(1), shown.to(images)).argmin(1).cpu()
        return drawn[nearest].map(lambda part: part.to(images))

    @cached_property
    def _first_draws(self) -> tuple[Latents, Tensor]:
        """Some samples, and the rows of pixels that they give."""
        with torch.no_grad():
            drawn = self.sample(self.scale_effort(FIRST_DRAWS, FEWEST_DRAWS), chance.make_generator(0))
            return drawn.map(lambda part: part.cpu()), self.decode(drawn).flatten(1).cpu()


class MeasuredDensitySpace(MeasuredSpace):
    """The same of functions that know how likely an image is, such as those of a flow."""

    log_likelihood: LogProbFunction

    def log_prob(self, images: Images, rng: torch.Generator | None = None) -> Nats:
        if rng is not None:
            noise = chance.draw_uniform(images.shape, rng).to(images)
            images = (images * (GREY_LEVELS - 1) + noise) / GREY_LEVELS
        few = images.split(self.functions.batch)
        return torch.cat([self.log_likelihood(part.to(self.functions.device)) for part in few]).float().to(images)


def measure_part_deviations(parts: Mapping[str, Tensor]) -> Float[Tensor, " D"]:
    """Return each coordinate's deviation, not below a share of its part's."""
    found = []
    for part in parts.values():
        each = part.flatten(1).std(0)
        typical = each.square().mean().sqrt().clamp_min(torch.finfo(each.dtype).tiny)
        found.append(each.clamp_min(LEAST_DEVIATION * float(typical)))
    return torch.cat(found)


def measure_shrinkage(codes: Flat) -> float:
    """Return how much of the covariance is replaced by the identity's (Ledoit, Wolf 2004), from the Gram matrix."""
    count, size = codes.shape
    gram = (codes @ codes.T).double()
    trace, square = float(gram.diagonal().sum()) / count, float((gram / count).square().sum())
    apart = (square - trace**2 / size) / size
    noise = (float(gram.diagonal().square().sum()) / count - square) / count / size
    return 1.0 if apart <= 0 else min(1.0, max(0.0, noise / apart))


def count_free_coordinates(codes: Flat) -> float:
    """Return (Σ λ)² / Σ λ², λ the eigenvalues of the covariance: D of them if all are alike and independent."""
    gram = (codes @ codes.T).double()
    return float(gram.diagonal().sum() ** 2 / gram.square().sum()) if math.isfinite(float(gram.sum())) else 0.0

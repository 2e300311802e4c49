"""These are the values and protocols that every layer speaks.

Letters of the shapes: B images, C channels, H height, W width, K classes, D latent coordinates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from latentlab.errors import UserError

Images = Float[Tensor, "B C H W"]  # in [0, 1]
Targets = Float[Tensor, "B K"]  # soft labels, rows sum to 1
Logits = Float[Tensor, "B K"]
Labels = Int[Tensor, " B"]
Flat = Float[Tensor, "B D"]  # latents as one matrix
Nats = Float[Tensor, " B"]  # log-likelihoods

ImageShape = tuple[int, int, int]  # C H W
PART_GROUPS = ("coarse", "middle", "fine")


@dataclass(frozen=True, eq=False)
class Batch:
    """Images in [0, 1] with their soft targets."""

    images: Images
    targets: Targets

    def __len__(self) -> int:
        return len(self.images)


@dataclass(frozen=True, eq=False)
class Latents:
    """Named parts of a latent code, coarse to fine, each `B …`, in prior standard deviations."""

    parts: Mapping[str, Tensor]

    def __len__(self) -> int:
        return len(next(iter(self.parts.values())))

    def __getitem__(self, rows: slice | Sequence[int] | Tensor) -> Latents:
        return self.map(lambda part: part[rows])

    @property
    def flat(self) -> Flat:
        return torch.cat([part.flatten(1) for part in self.parts.values()], 1)

    def unflat(self, flat: Flat) -> Latents:
        """Cut the matrix into parts of this shape; its rows may be more or fewer than here."""
        sizes = [part[:1].numel() for part in self.parts.values()]
        pieces = flat.split(sizes, 1)
        return replace(
            self,
            parts={
                name: piece.reshape(len(flat), *part.shape[1:])
                for (name, part), piece in zip(self.parts.items(), pieces, strict=True)
            },
        )

    def map(self, function: Callable[[Tensor], Tensor]) -> Latents:
        return replace(self, parts={name: function(part) for name, part in self.parts.items()})

    def swap(self, other: Latents, names: Iterable[str]) -> Latents:
        """Return these latents with the named parts taken from `other`."""
        taken = set(names)
        return replace(
            self, parts={name: other.parts[name] if name in taken else part for name, part in self.parts.items()}
        )

    def select_part_names(self, groups: Sequence[str]) -> tuple[str, ...]:
        """Return the parts that belong to coarse, middle or fine: thirds of the list, the coarser third the longer."""
        names = tuple(self.parts)
        if set(groups) >= set(PART_GROUPS):
            return names
        if not groups:
            raise UserError("No latent part is chosen; choose at least one of coarse, middle, fine.")
        if len(names) == 1:
            raise UserError("This model has a single latent part; choose all parts, or a Glow or StyleGAN2.")
        base, extra = divmod(len(names), len(PART_GROUPS))
        ends = [0]
        for place in range(len(PART_GROUPS)):
            ends.append(ends[-1] + base + (place < extra))
        return tuple(
            name
            for place, group in enumerate(PART_GROUPS)
            if group in groups
            for name in names[ends[place] : ends[place + 1]]
        )

    def make_mask(self, groups: Sequence[str]) -> Float[Tensor, " D"]:
        """Return 1 on the coordinates of the chosen groups, 0 elsewhere."""
        chosen = self.select_part_names(groups)
        return torch.cat(
            [torch.full_like(part[0].flatten(), float(name in chosen)) for name, part in self.parts.items()]
        )


@runtime_checkable
class LatentModel(Protocol):
    """A space to move in: images in [0, 1] to latents and back."""

    image_shape: ImageShape

    def encode(self, images: Images) -> Latents: ...

    def decode(self, latents: Latents) -> Images: ...

    def sample(self, count: int, rng: torch.Generator) -> Latents:
        """Draw latents from the prior, about N(0, 1) a coordinate."""
        ...


@runtime_checkable
class ShellModel(LatentModel, Protocol):
    """A latent model whose codes lie in a thin shell around 0, as Gaussians of many coordinates do, and of whose inside
    it has learned nothing: half-way between two codes on the straight line a picture greys out, on the arc it does not.
    """

    mixes_on_arc: bool


@runtime_checkable
class DensityModel(LatentModel, Protocol):
    """A latent model that knows how likely an image is."""

    def log_prob(self, images: Images, rng: torch.Generator | None = None) -> Nats:
        """Return the log density of 256-level images in nats; with `rng`, dequantised by uniform noise."""
        ...


@runtime_checkable
class DirectedModel(LatentModel, Protocol):
    """A latent model with named directions: vectors of D coordinates, as long as one standard deviation of the
    encoded training images along them."""

    directions: dict[str, Tensor]


@runtime_checkable
class BoundedModel(LatentModel, Protocol):
    """A latent model whose coordinates have a range, as pixels do; an attack stays inside it."""

    bounds: tuple[float, float]


@runtime_checkable
class RefinableModel(LatentModel, Protocol):
    """A latent model whose encoding can be improved by optimisation."""

    def refine(self, images: Images, latents: Latents, steps: int) -> Latents: ...

    def refine_stepwise(self, images: Images, latents: Latents, steps: int) -> Iterator[Latents]:
        """Refine as `refine_latents` does, and give the latents of each step."""
        ...


@dataclass(frozen=True, eq=False)
class Bench:
    """What a tool may use in one call."""

    model: LatentModel
    classifier: nn.Module | None
    rng: torch.Generator
    encode_references: Callable[[], Flat] | None = None  # codes of the world's own images, to find neighbours among
    local_directions: Mapping[str, Flat] = field(default_factory=dict)  # of the latents at hand, where already found


@runtime_checkable
class Operator(Protocol):
    """Settings in the object, data in the call: an augmentation, an attack or a corruption."""

    def __call__(self, batch: Batch, bench: Bench) -> Batch: ...

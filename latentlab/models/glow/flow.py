"""Glow: a normalizing flow of actnorm, invertible 1×1 convolutions and affine couplings.

Kingma, Dhariwal 2018, arXiv 1807.03039. The state is kept as `B H W C`: a 1×1 convolution is then one matrix product,
and the coupling networks see channels-last images, the layout in which bf16 is fast. In the exact mode the state is
fp64 and the networks fp32: what a network sees on the way back then differs by so little that even images far from the
data, whose codes are large, come back. In the fast mode the state is fp32 and the networks bf16.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping

import torch
from torch import Tensor, nn

from latentlab import chance
from latentlab.models.glow.layers import Coupling, FlowLevel, LogDet
from latentlab.models.glow.squeeze import (
    GREY_LEVELS,
    LOGIT_MARGIN,
    apply_logit,
    invert_logit,
    spread_levels,
)
from latentlab.models.image_sizes import require_divisible_sides
from latentlab.models.modules import TypedModuleList, use_channels_last
from latentlab.threads import Made, map_on_cores, split_batch
from latentlab.types import Images, ImageShape, Latents, Nats


class Glow(nn.Module):
    """A density model whose levels are its parts, coarse to fine, named by their size in pixels."""

    mixes_on_arc = True

    def __init__(self, image_shape: ImageShape, levels: int = 3, steps: int = 8, hidden: int = 256) -> None:
        super().__init__()
        channels, height, width = image_shape
        self.image_shape: ImageShape = (channels, height, width)
        require_divisible_sides(self.image_shape, 2**levels, "Glow")
        rng = chance.make_generator(0)
        last = levels - 1
        self.levels = TypedModuleList(FlowLevel(channels * 2**i, steps, hidden, i == last, rng) for i in range(levels))
        self.directions: dict[str, Tensor] = {}
        self.fast = False
        use_channels_last(self)

    def encode(self, images: Images) -> Latents:
        """Return the exact code of the image: the middle of each of its 256 grey levels."""
        states, _ = self._run_flow(self._spread_images(images, 0.5))
        names = [name for name, _ in self.list_part_shapes()]
        parts = (state.permute(0, 3, 1, 2).to(self._first_parameter.dtype) for state in reversed(states))
        return Latents(dict(zip(names, parts, strict=True)))

    def decode(self, latents: Latents) -> Images:
        states = [part.permute(0, 2, 3, 1).to(self._state_dtype) for part in latents.parts.values()]
        made = self._map_batches(self._decode_states, *states)
        return torch.cat(made).to(self._first_parameter.dtype)

    def _decode_states(self, *states: Tensor) -> Images:
        """Decode from the states that left, coarse to fine."""
        x = states[0][..., :0]
        for level, state in zip(reversed(self.levels), states, strict=True):
            x = level.decode_state(x, state)
        return invert_logit(x)

    def sample(self, count: int, rng: torch.Generator) -> Latents:
        return Latents(
            {
                name: chance.draw_normal((count, *shape), rng).to(self._first_parameter)
                for name, shape in self.list_part_shapes()
            }
        )

    def log_prob(self, images: Images, rng: torch.Generator | None = None) -> Nats:
        """Return the log density of 256-level images in nats.

        With `rng` they are dequantised by uniform noise, and it is a lower bound (Theis et al. 2016).
        """
        noise = 0.5 if rng is None else chance.draw_uniform(images.shape, rng).to(images)
        y = self._spread_images(images, noise)
        states, log_det = self._run_flow(y)
        squares = sum((state.square().flatten(1).sum(1) for state in states), torch.zeros_like(log_det))
        size = math.prod(self.image_shape)
        inside = (1 - 2 * LOGIT_MARGIN) * y + LOGIT_MARGIN
        stretch = (math.log(1 - 2 * LOGIT_MARGIN) - torch.log(inside * (1 - inside))).flatten(1).sum(1)
        nats = -0.5 * squares + log_det + stretch - size * (0.5 * math.log(2 * math.pi) + math.log(GREY_LEVELS))
        return nats.to(self._first_parameter.dtype)

    @torch.no_grad()
    def initialise_actnorms(self, images: Images) -> None:
        """Start every actnorm from the data of one batch."""
        noise = chance.draw_uniform(images.shape, chance.make_generator(0)).to(images)
        x, noisy = (
            apply_logit(self._spread_images(images, each)).to(self._first_parameter.dtype) for each in (0.5, noise)
        )
        for level in self.levels:
            x, noisy = level.initialise_steps(x, noisy)

    def standardise(self, deviations: Mapping[str, float]) -> None:
        """Give codes whose parts have these deviations 1 from now on, as samples have; no picture changes."""
        for level, (name, _) in zip(reversed(self.levels), self.list_part_shapes(), strict=True):
            level.widen_prior(deviations[name])

    def list_part_shapes(self) -> Iterator[tuple[str, ImageShape]]:
        channels, height, _ = self.image_shape
        depth = len(self.levels)
        for i in reversed(range(depth)):
            size = height >> (i + 1)
            leaving = channels * 2**i * (4 if i == depth - 1 else 2)
            yield f"{size}px", (leaving, size, self.image_shape[2] >> (i + 1))

    @property
    def _first_parameter(self) -> Tensor:
        return next(self.parameters())

    def use_fast(self, fast: bool) -> None:
        """Run the coupling networks in bf16 (attacks, previews, fits) or in fp32 (reconstruction, likelihood)."""
        self.fast = fast
        for module in self.modules():
            if isinstance(module, Coupling):
                module.fast = fast

    @property
    def _state_dtype(self) -> torch.dtype:
        return self._first_parameter.dtype if self.fast else torch.float64

    def _map_batches(self, function: Callable[..., Made], *batches: Tensor) -> list[Made]:
        """Run on all cores; whole where gradients are kept, for each piece would keep what belongs to the weights."""
        whole = torch.is_grad_enabled()
        return map_on_cores(function, *([batch] if whole else split_batch(batch) for batch in batches))

    def _spread_images(self, images: Images, noise: float | Tensor) -> Images:
        return spread_levels(images.to(self._state_dtype), noise)

    def _run_flow(self, y: Images) -> tuple[list[Tensor], LogDet]:
        """Return the states that left, fine to coarse, and the log-determinant after the logit."""
        states, log_dets = zip(*self._map_batches(self._encode_states, y), strict=True)
        return [torch.cat(of_level) for of_level in zip(*states, strict=True)], torch.cat(log_dets)

    def _encode_states(self, y: Images) -> tuple[list[Tensor], LogDet]:
        x = apply_logit(y)
        total, states = x.new_zeros(len(x)), []
        for level in self.levels:
            x, leaving, log_det = level.encode_state(x)
            states.append(leaving)
            total = total + log_det
        return states, total

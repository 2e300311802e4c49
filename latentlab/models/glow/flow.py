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
from jaxtyping import Float
from torch import Tensor, nn

from latentlab import chance
from latentlab.models.glow.squeeze import (
    GREY_LEVELS,
    LOGIT_MARGIN,
    FlowState,
    apply_logit,
    invert_logit,
    spread_levels,
    squeeze_pixels,
    unsqueeze_pixels,
)
from latentlab.models.image_sizes import require_divisible_sides
from latentlab.models.modules import TypedModuleList, use_channels_last
from latentlab.threads import Made, map_on_cores, split_batch
from latentlab.types import Images, ImageShape, Latents, Nats

KeptState = Float[Tensor, "B h w K"]  # what goes on to the next level, nothing at the last
LeavingState = Float[Tensor, "B h w L"]  # what becomes a latent part
LogDet = Float[Tensor, " B"]

LOG_SCALE_BOUND = 2.0  # of the log scale of a coupling: codes far from the data must not overflow on their way back


def predict_maps(net: nn.Module, x: FlowState, fast: bool) -> tuple[Float[Tensor, "B H W E"], Float[Tensor, "B H W E"]]:
    """Give two maps of `x` by a convolutional network: in bf16 if fast, else in fp32 whatever the caller's autocast."""
    with torch.autocast(x.device.type, torch.bfloat16, enabled=fast):
        out = net(x.permute(0, 3, 1, 2).to(next(net.parameters()).dtype))
    first, second = out.to(x.dtype).permute(0, 2, 3, 1).chunk(2, -1)
    return first, second


def bound_log_scale(raw: Tensor) -> Tensor:
    """Bound the log scale of a coupling."""
    return LOG_SCALE_BOUND * torch.tanh(raw / LOG_SCALE_BOUND)


def predict_prior(prior: nn.Module | nn.Parameter, kept: KeptState) -> tuple[Tensor, Tensor]:
    """Return mean and log scale of what leaves a level, given what goes on."""
    if isinstance(prior, nn.Parameter):
        mean, log_scale = prior.chunk(2, -1)
    else:
        mean, log_scale = predict_maps(prior, kept, fast=False)
    return mean, log_scale.clamp(-7, 7)


class Coupling(nn.Module):
    """A coupling: half of the channels scales and shifts the other half."""

    fast = False

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.cut = channels // 2
        self.net = nn.Sequential(
            nn.Conv2d(self.cut, hidden, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(hidden, hidden, 1),
            nn.ReLU(inplace=True),
            ZeroConv(hidden, 2 * (channels - self.cut)),
        )
        for layer in self.net:
            if type(layer) is nn.Conv2d and layer.bias is not None:
                nn.init.normal_(layer.weight, 0, 0.05)
                nn.init.zeros_(layer.bias)

    def encode_state(self, x: FlowState) -> tuple[FlowState, LogDet]:
        a, b = x[..., : self.cut], x[..., self.cut :]
        log_scale, shift = self._predict_affine(a)
        return torch.cat([a, (b + shift) * log_scale.exp()], -1), log_scale.flatten(1).sum(1)

    def decode_state(self, y: FlowState) -> FlowState:
        a, b = y[..., : self.cut], y[..., self.cut :]
        log_scale, shift = self._predict_affine(a)
        return torch.cat([a, b * torch.exp(-log_scale) - shift], -1)

    def _predict_affine(self, a: FlowState) -> tuple[Float[Tensor, "B H W E"], Float[Tensor, "B H W E"]]:
        raw, shift = predict_maps(self.net, a, self.fast)
        return bound_log_scale(raw), shift


class ZeroConv(nn.Conv2d):
    """A 3×3 convolution that starts at zero, with a learned log gain per channel."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 3, padding=1)
        self.gain = nn.Parameter(torch.zeros(outputs, 1, 1))
        nn.init.zeros_(self.weight)
        assert self.bias is not None
        nn.init.zeros_(self.bias)

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input) * torch.exp(3 * self.gain)


class FlowStep(nn.Module):
    """Actnorm, 1×1 convolution, coupling."""

    def __init__(self, channels: int, hidden: int, rng: torch.Generator) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(channels))
        self.log_scale = nn.Parameter(torch.zeros(channels))
        self.mix = nn.Parameter(torch.linalg.qr(chance.draw_normal((channels, channels), rng))[0])
        self.coupling = Coupling(channels, hidden)
        self._known: dict[str, tuple[object, Tensor]] = {}

    def encode_state(self, x: FlowState) -> tuple[FlowState, LogDet]:
        x = ((x + self.shift) * self.log_scale.exp()) @ self.mix.to(x.dtype)
        y, log_det = self.coupling.encode_state(x)
        pixels = x.shape[1] * x.shape[2]
        turned = self._remember_for_mix("log-determinant", lambda: torch.linalg.slogdet(self.mix)[1])
        return y, log_det + pixels * (self.log_scale.sum() + turned)

    def decode_state(self, y: FlowState) -> FlowState:
        inverse = self._remember_for_mix("inverse", lambda: torch.linalg.inv(self.mix.double()))
        return (self.coupling.decode_state(y) @ inverse.to(y.dtype)) * torch.exp(-self.log_scale) - self.shift

    def _remember_for_mix(self, name: str, make: Callable[[], Tensor]) -> Tensor:
        """Make it once for a frozen matrix, until that is written to or moved: a seventh of a single image's time."""
        if self.mix.requires_grad:
            return make()
        stamp = self.mix.data_ptr(), self.mix._version
        before, value = self._known.get(name, (None, self.mix))
        if before != stamp:
            value = make()
            self._known[name] = stamp, value
        return value

    def initialise_actnorm(self, x: FlowState, grain: FlowState) -> None:
        """Start from data: this batch leaves the actnorm with mean 0 and deviation 1 in every channel.

        A channel that does not vary, such as a black border, counts as varying by its `grain`: what the noise within
        a grey level makes of it here.
        """
        flat = x.flatten(0, 2)
        self.shift.copy_(-flat.mean(0))
        self.log_scale.copy_(-torch.log(flat.std(0).maximum(grain.flatten(0, 2).std(0)) + 1e-6))


class FlowLevel(nn.Module):
    """Squeeze, steps, and the learned prior of the half that leaves here (of everything, at the last level)."""

    def __init__(self, channels: int, steps: int, hidden: int, last: bool, rng: torch.Generator) -> None:
        super().__init__()
        self.steps = TypedModuleList(FlowStep(4 * channels, hidden, rng) for _ in range(steps))
        self.kept = 0 if last else 2 * channels
        self.leaving = 4 * channels - self.kept
        self.prior = nn.Parameter(torch.zeros(2 * self.leaving)) if last else ZeroConv(self.kept, 2 * self.leaving)

    def encode_state(self, x: FlowState) -> tuple[KeptState, LeavingState, LogDet]:
        """Return what goes on, what leaves in standard coordinates, and the log-determinant."""
        x = squeeze_pixels(x)
        total = x.new_zeros(len(x))
        for step in self.steps:
            x, log_det = step.encode_state(x)
            total = total + log_det
        kept, leaving = x[..., : self.kept], x[..., self.kept :]
        mean, log_scale = predict_prior(self.prior, kept)
        return kept, (leaving - mean) * torch.exp(-log_scale), total - log_scale.expand_as(leaving).flatten(1).sum(1)

    def decode_state(self, kept: KeptState, leaving: LeavingState) -> FlowState:
        mean, log_scale = predict_prior(self.prior, kept)
        x = torch.cat([kept, mean + leaving * torch.exp(log_scale)], -1)
        for step in reversed(self.steps):
            x = step.decode_state(x)
        return unsqueeze_pixels(x)

    def initialise_steps(self, x: FlowState, noisy: FlowState) -> tuple[KeptState, KeptState]:
        """Start the steps from the data of one batch, as it is and with noise within a grey level; return what goes
        on of each.
        """
        x, noisy = squeeze_pixels(x), squeeze_pixels(noisy)
        for step in self.steps:
            step.initialise_actnorm(x, noisy - x)
            x, noisy = step.encode_state(x)[0], step.encode_state(noisy)[0]
        return x[..., : self.kept], noisy[..., : self.kept]

    @torch.no_grad()
    def widen_prior(self, factor: float) -> None:
        """Make the prior this many times as wide, so that what leaves is that much smaller in standard coordinates."""
        width = math.log(factor)
        if isinstance(self.prior, nn.Parameter):
            self.prior[self.leaving :].add_(width)
        else:
            assert self.prior.bias is not None
            self.prior.bias[self.leaving :].add_(width / torch.exp(3 * self.prior.gain[self.leaving :, 0, 0]))


class Glow(nn.Module):
    """A density model whose levels are its parts, coarse to fine, named by their size in pixels."""

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

"""Layers of Glow (Kingma and Dhariwal 2018): steps of actnorm, 1×1 convolution and coupling, and a level of them."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from latentlab import chance
from latentlab.models.glow.squeeze import (
    FlowState,
    squeeze_pixels,
    unsqueeze_pixels,
)
from latentlab.models.modules import TypedModuleList

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

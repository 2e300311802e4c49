"""Glow for attacks, augmentation and previews: constants are computed once, the coupling networks run in bf16.

The same flow as `models.glow`, folded: actnorm and 1×1 convolution are one matrix with an offset (inverted in fp64),
the gain of the last convolution is in its weight. The state is fp32. Pictures go through a level a few at a time, so
that what a coupling network computes stays in the cache. For a gradient each step keeps half of its state, and its
network one bit of every hidden entry: nothing is computed again on the way back.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from latentlab.models.cuda_graphs import ReplayedFunction
from latentlab.models.glow.conv_matmul import gather_windows, make_products, sum_overlaps
from latentlab.models.glow.flow import Glow
from latentlab.models.glow.layers import (
    LOG_SCALE_BOUND,
    Coupling,
    FlowLevel,
    FlowStep,
    KeptState,
    LeavingState,
    ZeroConv,
    bound_log_scale,
    predict_prior,
)
from latentlab.models.glow.relu_mask import PackedMask, count_mask_bytes, mask_gradient, pack_relu_mask
from latentlab.models.glow.squeeze import (
    FlowState,
    SqueezedState,
    apply_logit,
    invert_logit,
    spread_levels,
    squeeze_pixels,
    unsqueeze_pixels,
)
from latentlab.models.modules import TypedModuleList
from latentlab.threads import map_on_cores, split_batch
from latentlab.types import Images, ImageShape, Latents

COUPLING_PIXELS = 2048  # that go through a coupling network at once: 512 channels of them in bf16 are 2 MB


class FoldedCoupling(nn.Module):
    """The network of a coupling, its weights in the precision that it runs in."""

    def __init__(self, coupling: Coupling, dtype: torch.dtype) -> None:
        super().__init__()
        first, second, last = (_fold_gain(layer) for layer in coupling.net if isinstance(layer, nn.Conv2d))
        self.cut = coupling.cut
        self.there = make_products(first, second, last, dtype, relu=True)
        self.back = make_products(_reverse_conv(last), _reverse_conv(second), _reverse_conv(first), dtype)

    def forward(self, a: FlowState) -> tuple[Float[Tensor, "B H W E"], Float[Tensor, "B H W E"]]:
        """Return log scale and shift."""
        raw, shift = self.run_convolutions(a)[-1].chunk(2, -1)
        return bound_log_scale(raw), shift

    def run_convolutions(
        self, a: FlowState
    ) -> tuple[Float[Tensor, "B H W N"], Float[Tensor, "B H W N"], Float[Tensor, "B H W E2"]]:
        """Return what each of the three convolutions gives, the first two behind their ReLU."""
        first, second, last = self.there
        one = first(gather_windows(a.to(first.weight.dtype)))
        two = second(one)
        return one, two, sum_overlaps(last(two))

    def pull_back_gradient(
        self, gradient: Float[Tensor, "B H W E2"], one: PackedMask, two: PackedMask
    ) -> Float[Tensor, "B H W A"]:
        """Return the gradient with respect to `a`, from that of the last convolution and what the ReLUs let through."""
        last, second, first = self.back
        gradient = mask_gradient(last(gather_windows(gradient.to(last.weight.dtype))), two)
        gradient = mask_gradient(second(gradient), one)
        return sum_overlaps(first(gradient))


class FoldedStep(nn.Module):
    """One matrix and one coupling; `there` and `back` are each other's inverse."""

    def __init__(self, step: FlowStep, dtype: torch.dtype) -> None:
        super().__init__()
        scale, shift, mix = step.log_scale.double().exp(), step.shift.double(), step.mix.double()
        there = scale[:, None] * mix
        self.register_buffer("there", there.float())
        self.register_buffer("there_offset", ((shift * scale) @ mix).float())
        self.register_buffer("back", torch.linalg.inv(there).float())
        self.register_buffer("back_offset", (-shift).float())
        self.coupling = FoldedCoupling(step.coupling, dtype)

    def encode_state(self, x: FlowState) -> FlowState:
        x = _apply_affine(x, self.there, self.there_offset)
        a, b = x[..., : self.coupling.cut], x[..., self.coupling.cut :]
        log_scale, shift = self.coupling(a)
        return torch.cat([a, (b + shift) * log_scale.exp()], -1)

    def decode_state(self, y: FlowState) -> FlowState:
        a, b = y[..., : self.coupling.cut], y[..., self.coupling.cut :]
        log_scale, shift = self.coupling(a)
        return _apply_affine(torch.cat([a, b * torch.exp(-log_scale) - shift], -1), self.back, self.back_offset)


class _DecodeSteps(torch.autograd.Function):
    """It is `decode_state` of all steps of a level. For its gradient it keeps a bit of each hidden entry and half of
    each state, and computes nothing of the networks again. What it keeps has its place from the start: allocated
    between large passing tensors, it would scatter the memory that they leave.
    """

    @staticmethod
    def forward(ctx: Any, x: FlowState, steps: TypedModuleList[FoldedStep]) -> FlowState:
        parts = _split_pixels(x)
        rooms = [_allocate_buffers(part, steps) for part in parts]
        ctx.save_for_backward(*(tensor for room in rooms for tensor in room))
        ctx.steps = steps
        return torch.cat(map_on_cores(partial(_decode_with_buffers, steps), parts, rooms))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: FlowState) -> tuple[FlowState, None]:
        saved = ctx.saved_tensors  # bits, arguments and halves of the first part, then those of the next
        rooms = list(zip(saved[0::3], saved[1::3], saved[2::3], strict=True))
        parts = gradient.split([len(halves[0]) for *_, halves in rooms])
        return torch.cat(map_on_cores(partial(_pull_back_steps, ctx.steps), parts, rooms)), None


GradientBuffers = tuple[Tensor, Tensor, Tensor]


def _allocate_buffers(x: FlowState, steps: TypedModuleList[FoldedStep]) -> GradientBuffers:
    """Make room for each step: bits of both hidden layers, the argument of the log scale, the half that was scaled."""
    first, (*pixels, channels) = next(iter(steps)).coupling, x.shape
    half = (len(steps), *pixels, channels - first.cut)
    hidden = math.prod(pixels) * next(iter(first.there)).out_features
    bits = x.new_empty(len(steps), 2, count_mask_bytes(hidden), dtype=torch.uint8)
    return bits, x.new_empty(half), x.new_empty(half)


def _decode_with_buffers(steps: TypedModuleList[FoldedStep], x: FlowState, room: GradientBuffers) -> FlowState:
    for step, bits, raw, half in zip(reversed(steps), *room, strict=True):
        a, b = x[..., : step.coupling.cut], x[..., step.coupling.cut :]
        one, two, out = step.coupling.run_convolutions(a)
        bits[0], bits[1] = pack_relu_mask(one), pack_relu_mask(two)
        raw[:], shift = out.chunk(2, -1)
        torch.mul(b, torch.exp(-bound_log_scale(raw)), out=half)
        x = _apply_affine(torch.cat([a, half - shift], -1), step.back, step.back_offset)
    return x


def _pull_back_steps(steps: TypedModuleList[FoldedStep], gradient: FlowState, room: GradientBuffers) -> FlowState:
    kept = (reversed(tensor.unbind()) for tensor in room)
    for step, (one, two), raw, half in zip(steps, *kept, strict=True):
        cut, log_scale = step.coupling.cut, bound_log_scale(raw)
        gradient = (gradient.flatten(0, 2) @ step.back.t()).view(gradient.shape)
        of_a, of_b = gradient[..., :cut], gradient[..., cut:]
        of_raw = -of_b * half * (1 - (log_scale / LOG_SCALE_BOUND).square())
        of_a = of_a + step.coupling.pull_back_gradient(torch.cat([of_raw, -of_b], -1), one, two)
        gradient = torch.cat([of_a, of_b * torch.exp(-log_scale)], -1)
    return gradient


class FoldedLevel(nn.Module):
    def __init__(self, level: FlowLevel, dtype: torch.dtype) -> None:
        super().__init__()
        self.steps = TypedModuleList(FoldedStep(step, dtype) for step in level.steps)
        self.kept = level.kept
        self.prior = copy.deepcopy(level.prior)

    def encode_state(self, x: FlowState) -> tuple[KeptState, LeavingState]:
        x = _run_in_pieces(self._encode_steps, squeeze_pixels(x))
        kept, leaving = x[..., : self.kept], x[..., self.kept :]
        mean, log_scale = predict_prior(self.prior, kept)
        return kept, (leaving - mean) * torch.exp(-log_scale)

    def decode_state(self, kept: KeptState, leaving: LeavingState) -> FlowState:
        mean, log_scale = predict_prior(self.prior, kept)
        x = torch.cat([kept, mean + leaving * torch.exp(log_scale)], -1)
        return unsqueeze_pixels(
            _DecodeSteps.apply(x, self.steps) if x.requires_grad else _run_in_pieces(self._decode_steps, x)
        )

    def _encode_steps(self, x: SqueezedState) -> SqueezedState:
        for step in self.steps:
            x = step.encode_state(x)
        return x

    def _decode_steps(self, x: SqueezedState) -> SqueezedState:
        for step in reversed(self.steps):
            x = step.decode_state(x)
        return x


class FoldedGlow(nn.Module):
    """A latent model that agrees with the Glow it was made from to some grey levels; made again for new weights."""

    def __init__(self, glow: Glow, dtype: torch.dtype) -> None:
        super().__init__()
        self.image_shape: ImageShape = glow.image_shape
        self.directions = glow.directions
        self.levels = TypedModuleList(FoldedLevel(level, dtype) for level in glow.levels)
        self.names = [name for name, _ in glow.list_part_shapes()]
        self.sample = glow.sample
        self._whole = ReplayedFunction(self._decode_states)

    def encode(self, images: Images) -> Latents:
        x, parts = apply_logit(spread_levels(images, 0.5)), []
        with _disable_autocast(images):
            for level in self.levels:
                x, leaving = level.encode_state(x)
                parts.append(leaving.permute(0, 3, 1, 2))
        return Latents(dict(zip(self.names, reversed(parts), strict=True)))

    def decode(self, latents: Latents) -> Images:
        return self._whole(*(part.permute(0, 2, 3, 1) for part in latents.parts.values()))

    def _decode_states(self, *states: Tensor) -> Images:
        """Decode from the states that left, coarse to fine."""
        x = states[0][..., :0]
        with _disable_autocast(x):
            for level, state in zip(reversed(self.levels), states, strict=True):
                x = level.decode_state(x, state)
        return invert_logit(x)


def _run_in_pieces(function: Callable[[SqueezedState], SqueezedState], x: SqueezedState) -> SqueezedState:
    made = map_on_cores(function, _split_pixels(x))
    return made[0] if len(made) == 1 else torch.cat(made)


def _split_pixels(x: Tensor) -> tuple[Tensor, ...]:
    return split_batch(x, max(1, COUPLING_PIXELS // math.prod(x.shape[1:3])))


def _apply_affine(x: FlowState, matrix: Any, offset: Any) -> FlowState:
    return torch.addmm(offset, x.flatten(0, 2), matrix).view(x.shape)


def _fold_gain(conv: nn.Conv2d) -> nn.Conv2d:
    """Return a copy; the gain of a ZeroConv goes into its weight and bias."""
    plain = nn.Conv2d(conv.in_channels, conv.out_channels, conv.weight.shape[2], padding=conv.weight.shape[2] // 2)
    plain.requires_grad_(False).load_state_dict({name: conv.state_dict()[name] for name in ("weight", "bias")})
    if isinstance(conv, ZeroConv):
        gain = torch.exp(3 * conv.gain)
        plain.weight.mul_(gain[..., None])
        plain.get_parameter("bias").mul_(gain.flatten())
    return plain


def _reverse_conv(conv: nn.Conv2d) -> nn.Conv2d:
    """Return the gradient with respect to the input as a convolution: kernel turned, channels exchanged."""
    size = conv.weight.shape[2]
    turned = nn.Conv2d(conv.out_channels, conv.in_channels, size, padding=size // 2, bias=False)
    turned.requires_grad_(False).weight.copy_(conv.weight.flip(2, 3).transpose(0, 1))
    return turned


def _disable_autocast(x: Tensor) -> torch.autocast:
    """Decide the precision here, not by the caller's autocast."""
    return torch.autocast(x.device.type, enabled=False)

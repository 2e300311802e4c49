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

from latentlab.models.bits import Bits, passed, size_of, where_passed
from latentlab.models.cores import each, pieces
from latentlab.models.glow import BOUND, Coupling, Glow, Kept, Leaving, Level, Step, ZeroConv, bounded, prior_of
from latentlab.models.modules import Stack
from latentlab.models.products import overlapped, products, windows
from latentlab.models.replay import Replayed
from latentlab.models.states import Squeezed, State, logit, spread, squeeze, unlogit, unsqueeze
from latentlab.types import Images, ImageShape, Latents

PIXELS = 2048  # that go through a coupling network at once: 512 channels of them in bf16 are 2 MB


class FoldedCoupling(nn.Module):
    """The network of a coupling, its weights in the precision that it runs in."""

    def __init__(self, coupling: Coupling, dtype: torch.dtype) -> None:
        super().__init__()
        first, second, last = (_plain(layer) for layer in coupling.net if isinstance(layer, nn.Conv2d))
        self.cut = coupling.cut
        self.there = products(first, second, last, dtype, relu=True)
        self.back = products(_turned(last), _turned(second), _turned(first), dtype)

    def forward(self, a: State) -> tuple[Float[Tensor, "B H W E"], Float[Tensor, "B H W E"]]:
        """Log scale and shift."""
        raw, shift = self.through(a)[-1].chunk(2, -1)
        return bounded(raw), shift

    def through(self, a: State) -> tuple[Float[Tensor, "B H W N"], Float[Tensor, "B H W N"], Float[Tensor, "B H W E2"]]:
        """What each of the three convolutions gives, the first two behind their ReLU."""
        first, second, last = self.there
        one = first(windows(a.to(first.weight.dtype)))
        two = second(one)
        return one, two, overlapped(last(two))

    def returned(self, gradient: Float[Tensor, "B H W E2"], one: Bits, two: Bits) -> Float[Tensor, "B H W A"]:
        """The gradient with respect to `a`, from that of the last convolution and what the ReLUs let through."""
        last, second, first = self.back
        gradient = where_passed(last(windows(gradient.to(last.weight.dtype))), two)
        gradient = where_passed(second(gradient), one)
        return overlapped(first(gradient))


class FoldedStep(nn.Module):
    """One matrix and one coupling; `there` and `back` are each other's inverse."""

    def __init__(self, step: Step, dtype: torch.dtype) -> None:
        super().__init__()
        scale, shift, mix = step.log_scale.double().exp(), step.shift.double(), step.mix.double()
        there = scale[:, None] * mix
        self.register_buffer("there", there.float())
        self.register_buffer("there_offset", ((shift * scale) @ mix).float())
        self.register_buffer("back", torch.linalg.inv(there).float())
        self.register_buffer("back_offset", (-shift).float())
        self.coupling = FoldedCoupling(step.coupling, dtype)

    def encode(self, x: State) -> State:
        x = _affine(x, self.there, self.there_offset)
        a, b = x[..., : self.coupling.cut], x[..., self.coupling.cut :]
        log_scale, shift = self.coupling(a)
        return torch.cat([a, (b + shift) * log_scale.exp()], -1)

    def decode(self, y: State) -> State:
        a, b = y[..., : self.coupling.cut], y[..., self.coupling.cut :]
        log_scale, shift = self.coupling(a)
        return _affine(torch.cat([a, b * torch.exp(-log_scale) - shift], -1), self.back, self.back_offset)


class _Back(torch.autograd.Function):
    """`decode` of all steps of a level. For its gradient it keeps a bit of each hidden entry and half of each state,
    and computes nothing of the networks again. What it keeps has its place from the start: allocated between large
    passing tensors, it would scatter the memory that they leave."""

    @staticmethod
    def forward(ctx: Any, x: State, steps: Stack[FoldedStep]) -> State:
        parts = _pieces(x)
        rooms = [_room(part, steps) for part in parts]
        ctx.save_for_backward(*(tensor for room in rooms for tensor in room))
        ctx.steps = steps
        return torch.cat(each(partial(_back, steps), parts, rooms))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: State) -> tuple[State, None]:
        rooms = list(zip(*[iter(ctx.saved_tensors)] * 3, strict=True))
        parts = gradient.split([len(halves[0]) for *_, halves in rooms])
        return torch.cat(each(partial(_returned, ctx.steps), parts, rooms)), None


Room = tuple[Tensor, Tensor, Tensor]


def _room(x: State, steps: Stack[FoldedStep]) -> Room:
    """For each step: bits of both hidden layers, the argument of the log scale, the half that was scaled."""
    first, (*pixels, channels) = next(iter(steps)).coupling, x.shape
    half = (len(steps), *pixels, channels - first.cut)
    hidden = math.prod(pixels) * next(iter(first.there)).out_features
    bits = x.new_empty(len(steps), 2, size_of(hidden), dtype=torch.uint8)
    return bits, x.new_empty(half), x.new_empty(half)


def _back(steps: Stack[FoldedStep], x: State, room: Room) -> State:
    for step, bits, raw, half in zip(reversed(steps), *room, strict=True):
        a, b = x[..., : step.coupling.cut], x[..., step.coupling.cut :]
        one, two, out = step.coupling.through(a)
        bits[0], bits[1] = passed(one), passed(two)
        raw[:], shift = out.chunk(2, -1)
        torch.mul(b, torch.exp(-bounded(raw)), out=half)
        x = _affine(torch.cat([a, half - shift], -1), step.back, step.back_offset)
    return x


def _returned(steps: Stack[FoldedStep], gradient: State, room: Room) -> State:
    kept = (reversed(tensor.unbind()) for tensor in room)
    for step, (one, two), raw, half in zip(steps, *kept, strict=True):
        cut, log_scale = step.coupling.cut, bounded(raw)
        gradient = (gradient.flatten(0, 2) @ step.back.t()).view(gradient.shape)
        of_a, of_b = gradient[..., :cut], gradient[..., cut:]
        of_raw = -of_b * half * (1 - (log_scale / BOUND).square())
        of_a = of_a + step.coupling.returned(torch.cat([of_raw, -of_b], -1), one, two)
        gradient = torch.cat([of_a, of_b * torch.exp(-log_scale)], -1)
    return gradient


class FoldedLevel(nn.Module):
    def __init__(self, level: Level, dtype: torch.dtype) -> None:
        super().__init__()
        self.steps = Stack(FoldedStep(step, dtype) for step in level.steps)
        self.kept = level.kept
        self.prior = copy.deepcopy(level.prior)

    def encode(self, x: State) -> tuple[Kept, Leaving]:
        x = _in_pieces(self._through, squeeze(x))
        kept, leaving = x[..., : self.kept], x[..., self.kept :]
        mean, log_scale = prior_of(self.prior, kept)
        return kept, (leaving - mean) * torch.exp(-log_scale)

    def decode(self, kept: Kept, leaving: Leaving) -> State:
        mean, log_scale = prior_of(self.prior, kept)
        x = torch.cat([kept, mean + leaving * torch.exp(log_scale)], -1)
        return unsqueeze(_Back.apply(x, self.steps) if x.requires_grad else _in_pieces(self._back, x))

    def _through(self, x: Squeezed) -> Squeezed:
        for step in self.steps:
            x = step.encode(x)
        return x

    def _back(self, x: Squeezed) -> Squeezed:
        for step in reversed(self.steps):
            x = step.decode(x)
        return x


class FoldedGlow(nn.Module):
    """A latent model that agrees with the Glow it was made from to some grey levels; made again for new weights."""

    def __init__(self, glow: Glow, dtype: torch.dtype) -> None:
        super().__init__()
        self.image_shape: ImageShape = glow.image_shape
        self.directions = glow.directions
        self.levels = Stack(FoldedLevel(level, dtype) for level in glow.levels)
        self.names = [name for name, _ in glow.part_shapes()]
        self.sample = glow.sample
        self._whole = Replayed(self._decode)

    def encode(self, images: Images) -> Latents:
        x, parts = logit(spread(images, 0.5)), []
        with _own_precision(images):
            for level in self.levels:
                x, leaving = level.encode(x)
                parts.append(leaving.permute(0, 3, 1, 2))
        return Latents(dict(zip(self.names, reversed(parts), strict=True)))

    def decode(self, latents: Latents) -> Images:
        return self._whole(*(part.permute(0, 2, 3, 1) for part in latents.parts.values()))

    def _decode(self, *states: Tensor) -> Images:
        """From the states that left, coarse to fine."""
        x = states[0][..., :0]
        with _own_precision(x):
            for level, state in zip(reversed(self.levels), states, strict=True):
                x = level.decode(x, state)
        return unlogit(x)


def _in_pieces(function: Callable[[Squeezed], Squeezed], x: Squeezed) -> Squeezed:
    made = each(function, _pieces(x))
    return made[0] if len(made) == 1 else torch.cat(made)


def _pieces(x: Tensor) -> tuple[Tensor, ...]:
    return pieces(x, max(1, PIXELS // math.prod(x.shape[1:3])))


def _affine(x: State, matrix: Any, offset: Any) -> State:
    return torch.addmm(offset, x.flatten(0, 2), matrix).view(x.shape)


def _plain(conv: nn.Conv2d) -> nn.Conv2d:
    """A copy; the gain of a ZeroConv goes into its weight and bias."""
    plain = nn.Conv2d(conv.in_channels, conv.out_channels, conv.weight.shape[2], padding=conv.weight.shape[2] // 2)
    plain.requires_grad_(False).load_state_dict({name: conv.state_dict()[name] for name in ("weight", "bias")})
    if isinstance(conv, ZeroConv):
        gain = torch.exp(3 * conv.gain)
        plain.weight.mul_(gain[..., None])
        plain.get_parameter("bias").mul_(gain.flatten())
    return plain


def _turned(conv: nn.Conv2d) -> nn.Conv2d:
    """The gradient with respect to the input: kernel turned, channels exchanged."""
    size = conv.weight.shape[2]
    turned = nn.Conv2d(conv.out_channels, conv.in_channels, size, padding=size // 2, bias=False)
    turned.requires_grad_(False).weight.copy_(conv.weight.flip(2, 3).transpose(0, 1))
    return turned


def _own_precision(x: Tensor) -> torch.autocast:
    """Precision is decided here, not by the caller's autocast."""
    return torch.autocast(x.device.type, enabled=False)

"""A small flow over the map of codes of an autoencoder: its learned prior, and coordinates in which that is N(0, I)."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from latentlab import chance
from latentlab.models.glow.layers import FlowLevel
from latentlab.models.modules import TypedModuleList
from latentlab.types import Flat

CodeMap = Float[Tensor, "B Z a b"]


class CodeFlow(nn.Module):
    """The levels of a Glow without its way from pixels; deviations are set right after the fit."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, shape: tuple[int, int, int], levels: int, steps: int, hidden: int) -> None:
        super().__init__()
        channels, height, width = self.shape = shape
        assert height % 2**levels == width % 2**levels == 0, "the map of codes must halve evenly at every level"
        rng = chance.make_generator(0)
        last = levels - 1
        self.levels = TypedModuleList(FlowLevel(channels * 2**i, steps, hidden, i == last, rng) for i in range(levels))
        size = math.prod(shape)
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("deviation", torch.ones(size))  # standard code = (code of the levels − mean) / deviation

    def encode(self, codes: CodeMap) -> Flat:
        return (self.run_flow(codes)[0] - self.mean) / self.deviation

    def decode(self, standard: Flat) -> CodeMap:
        pieces = (self.mean + standard * self.deviation).split(
            [math.prod(shape) for shape in self._list_leaving_shapes()], 1
        )
        x = standard.new_zeros(len(standard), *self._list_leaving_shapes()[0][:2], 0)
        for level, piece, shape in zip(reversed(self.levels), pieces, self._list_leaving_shapes(), strict=True):
            x = level.decode_state(x, piece.reshape(-1, *shape))
        return x.permute(0, 3, 1, 2)

    def run_flow(self, codes: CodeMap) -> tuple[Flat, Float[Tensor, " B"]]:
        """Return what the levels make of codes, the coarsest first, and the log-determinant."""
        x = codes.permute(0, 2, 3, 1)
        left, total = [], x.new_zeros(len(x))
        for level in self.levels:
            x, leaving, log_det = level.encode_state(x)
            left.append(leaving.flatten(1))
            total = total + log_det
        return torch.cat(left[::-1], 1), total

    def log_prob(self, codes: CodeMap) -> Float[Tensor, " B"]:
        """Return the natural log of the density of codes."""
        z, log_det = self.run_flow(codes)
        return log_det - 0.5 * z.square().sum(1) - 0.5 * z.shape[1] * math.log(2 * math.pi)

    @torch.no_grad()
    def initialise_actnorms(self, codes: CodeMap) -> None:
        """Start every actnorm from one batch; codes have no grey levels, and so no noise within one."""
        x = codes.permute(0, 2, 3, 1)
        for level in self.levels:
            x, _ = level.initialise_steps(x, x)

    @torch.no_grad()
    def standardise(self, codes: Flat) -> None:
        """Give each coordinate of these codes, which `run_flow` gave, mean 0 and deviation 1 from now on."""
        self.mean.copy_(codes.mean(0))
        self.deviation.copy_(codes.std(0))

    def _list_leaving_shapes(self) -> list[tuple[int, int, int]]:
        """Return height, width and channels of what leaves each level, the coarsest first."""
        _, height, width = self.shape
        return [
            (height >> (i + 1), width >> (i + 1), level.leaving) for i, level in reversed(list(enumerate(self.levels)))
        ]

"""Convolutions of few channels as products of matrices."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from latentlab.models.modules import TypedModuleList
from latentlab.models.precision import gains_from_bf16

PACKED_ROWS = 2048  # that a packed weight expects
# Operators of torch without a promise: where one is missing, the public ones do the same.
CAN_PACK = torch.backends.mkldnn.is_available() and all(
    hasattr(torch.ops.mkldnn, name) for name in ("_reorder_linear_weight", "_linear_pointwise")
)


class MatrixProduct(nn.Linear):
    """A frozen linear layer, with a ReLU behind it or not. In bf16 on a CPU without a gradient, oneDNN's own order of
    the weight and its ReLU make it a tenth quicker.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None, dtype: torch.dtype, relu: bool = False) -> None:
        super().__init__(weight.shape[1], weight.shape[0], bias is not None, device=weight.device, dtype=dtype)
        self.requires_grad_(False).weight.copy_(weight)
        if bias is not None:
            self.bias.copy_(bias)
        self.relu = relu
        quick = CAN_PACK and weight.device.type == "cpu" and dtype == torch.bfloat16 and gains_from_bf16("cpu")
        self.packed = torch.ops.mkldnn._reorder_linear_weight(self.weight, PACKED_ROWS) if quick else None

    def forward(self, input: Float[Tensor, "*B I"]) -> Float[Tensor, "*B O"]:
        if self.packed is None or (torch.is_grad_enabled() and input.requires_grad):
            y = super().forward(input)
            return F.relu_(y) if self.relu else y
        rows, then = input.flatten(0, -2), "relu" if self.relu else "none"
        y = torch.ops.mkldnn._linear_pointwise(rows, self.packed, self.bias, then, [], "")
        return y.view(*input.shape[:-1], -1)


def make_products(
    first: nn.Conv2d, second: nn.Conv2d, last: nn.Conv2d, dtype: torch.dtype, relu: bool = False
) -> TypedModuleList[MatrixProduct]:
    """Make products of convolutions of 3×3, 1×1 and 3×3: with few channels at both ends, and for few pictures, they are
    quicker. The first takes windows, the last gives each pixel's share to its neighbours.
    """
    shares = last.weight.permute(2, 3, 0, 1).flatten(0, 2)
    once = None if last.bias is None else F.pad(last.bias, (4 * len(last.bias), 4 * len(last.bias)))
    return TypedModuleList(
        [
            MatrixProduct(first.weight.permute(0, 2, 3, 1).flatten(1), first.bias, dtype, relu),
            MatrixProduct(second.weight.flatten(1), second.bias, dtype, relu),
            MatrixProduct(shares, once, dtype),
        ]
    )


def gather_windows(x: Float[Tensor, "B H W A"]) -> Float[Tensor, "B H W A9"]:
    """Gather the 3×3 pixels around each one, row by row; beyond the border there is nothing."""
    padded = F.pad(x, (0, 0, 1, 1, 1, 1)).contiguous()
    batch, row, column, _ = padded.stride()
    size, stride = (*x.shape[:3], 3, 3 * x.shape[3]), (batch, row, column, row, 1)
    return padded.as_strided(size, stride).flatten(3)  # three neighbours in a row lie side by side


def sum_overlaps(shares: Float[Tensor, "B H W E9"]) -> Float[Tensor, "B H W E"]:
    """Sum, in fp32, what the 3×3 pixels around each one have for it: of three rows, then of three columns."""
    height, width = shares.shape[1:3]
    rows = F.pad(shares.unflatten(3, (3, -1)), (0, 0, 0, 0, 0, 0, 1, 1))
    total = rows[:, :height, :, 0].float().add_(rows[:, 1:-1, :, 1]).add_(rows[:, 2:, :, 2])
    columns = F.pad(total.unflatten(3, (3, -1)), (0, 0, 0, 0, 1, 1))
    return (columns[:, :, :width, 0] + columns[:, :, 1:-1, 1]).add_(columns[:, :, 2:, 2])

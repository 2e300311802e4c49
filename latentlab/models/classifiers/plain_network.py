"""A bare, frozen copy of a network: without wrappers, on the CPU, in eval mode, in one precision."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from latentlab.errors import UserError


class FixedBatchNetwork(nn.Module):
    """A network exported for so many pictures at once: others go through it in as many calls as they need."""

    def __init__(self, network: nn.Module, count: int, pick: Callable[[Any], Tensor]) -> None:
        super().__init__()
        self.network, self.count, self.pick = network, count, pick

    def forward(self, images: Tensor) -> Tensor:
        missing = -len(images) % self.count
        whole = torch.cat([images, images[-1:].expand(missing, *images.shape[1:])])
        return torch.cat([self.pick(self.network(few)) for few in whole.split(self.count)])[: len(images)]


def copy_network(network: nn.Module, dtype: torch.dtype | None = None) -> tuple[nn.Module, list[str]]:
    """Return the copy, in `dtype` or else in float32, and what is to be said about it."""
    bare = unwrap_network(network)
    try:
        with torch.no_grad():  # else TorchScript copies a parameter as what was computed from it
            copied = copy.deepcopy(bare, _detach_derived_tensors(bare)).cpu()
    except (RuntimeError, TypeError, AttributeError) as error:
        raise UserError(
            f"The network cannot be copied ({str(error).splitlines()[0][:150]}); "
            "give a fresh one: load_state_dict(network.state_dict()) into a new network, and add that."
        ) from error
    found = {tensor.dtype for tensor in (*copied.parameters(), *copied.buffers()) if tensor.is_floating_point()}
    wanted = dtype or torch.float32
    odd = sorted(str(each).removeprefix("torch.") for each in found - {wanted})
    copied = copied.to(wanted) if odd else copied
    for layer in copied.modules():
        layer.training = False  # an exported network cannot be put in eval mode by itself
    shown = str(wanted).removeprefix("torch.")
    for parameter in copied.parameters():  # TorchScript has no requires_grad_() of its own
        parameter.requires_grad_(False)
    return copied, [f"its weights are {name} and computed in {shown}" for name in odd]


def unwrap_network(network: nn.Module) -> nn.Module:
    """Take off what torch.compile and the parallel wrappers put around a network."""
    wrappers = (nn.DataParallel, nn.parallel.DistributedDataParallel)
    while True:
        inner = network.module if isinstance(network, wrappers) else dict(network.named_children()).get("_orig_mod")
        if not isinstance(inner, nn.Module):
            return network
        network = inner


def find_fixed_batch(network: nn.Module) -> int | None:
    """Return for how many pictures an exported network was made, None where any number will do."""
    if not isinstance(network, torch.fx.GraphModule):
        return None
    shapes = (getattr(node.meta.get("val"), "shape", ()) for node in network.graph.nodes if node.op == "placeholder")
    image = next((shape for shape in shapes if len(shape) == 4), None)
    return image[0] if image is not None and isinstance(image[0], int) else None


def _detach_derived_tensors(network: nn.Module) -> dict[int, Any]:
    """Return a memo for deepcopy, which refuses tensors with a history, such as those that weight_norm leaves."""
    held = (value for layer in network.modules() for value in vars(layer).values() if isinstance(value, Tensor))
    return {id(tensor): tensor.detach().clone() for tensor in held if not tensor.is_leaf}

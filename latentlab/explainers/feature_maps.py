"""The last map of the picture inside a classifier: channels first or last, or tokens, by what each module gives."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from latentlab.errors import UserError
from latentlab.types import Images, Labels

MapLayout = Literal["channels first", "channels last", "tokens"]
FeatureMap = Float[Tensor, "B D h w"]  # D channels
MAX_PREFIX_TOKENS = 8  # class token, distillation token, registers: they stand before those of the picture
MAX_ASPECT_ERROR = 1.5  # strides that round make a small map a little wider or higher than the picture
CHANNELS_FIRST_LAYERS = (nn.Conv2d, nn.ConvTranspose2d, nn.BatchNorm2d, nn.GroupNorm, nn.InstanceNorm2d)


@dataclass(frozen=True, eq=False)
class MapReading:
    """It is how a module's output is read as a map of the picture."""

    layout: MapLayout
    grid: tuple[int, int]

    def read_map(self, output: Tensor) -> FeatureMap:
        """Put the channels first; tokens that are no place of the picture are left out."""
        if self.layout == "channels first":
            return output
        if self.layout == "channels last":
            return output.permute(0, 3, 1, 2)
        places = output[:, output.shape[1] - math.prod(self.grid) :]
        return places.transpose(1, 2).unflatten(2, self.grid)


def compute_map_gradient(twin: nn.Module, images: Images, target: Labels) -> tuple[FeatureMap, FeatureMap]:
    """Return the last map on which the logits of the target depend, and their gradient there.

    A network that decides by its class token alone does not look at the other tokens of its last layer: the map is then
    the one that its last attention reads.
    """
    outputs = list(_record_outputs(twin, images))
    logits = outputs.pop()[1].gather(1, target[:, None]).sum()
    found = list(_read_maps(outputs, (images.shape[2], images.shape[3])))
    if not found:
        raise UserError(
            "Grad-CAM needs a classifier that keeps a map of the picture or its tokens, and none is to be seen in this "
            "one (a TorchScript or exported network hides its layers); choose another method."
        )
    last: tuple[FeatureMap, FeatureMap] | None = None
    for output, reading in reversed(found):
        (slope,) = torch.autograd.grad(logits, output, retain_graph=True, allow_unused=True, materialize_grads=True)
        maps = reading.read_map(output).detach(), reading.read_map(slope)
        if maps[1].abs().amax() > 0:
            return maps
        last = last or maps
    assert last is not None, "found has one at least"
    return last


def _record_outputs(twin: nn.Module, images: Images) -> Iterator[tuple[nn.Module, Tensor]]:
    """Give the tensors of every module with weights, in the order in which they were made; the logits are the last."""
    seen: list[tuple[nn.Module, Tensor]] = []

    def record_output(module: nn.Module, _: object, output: object) -> None:
        if isinstance(output, Tensor) and output.requires_grad and len(output) == len(images):
            seen.append((module, output))

    skipped = {part for module in twin.modules() if _is_attention(module) for part in module.children()}
    inside = {part for module in skipped for part in module.modules()}
    chosen = [layer for layer in twin.modules() if layer not in inside and any(True for _ in layer.parameters())]
    hooks = [
        layer.register_forward_hook(record_output) for layer in chosen if not isinstance(layer, torch.jit.ScriptModule)
    ]
    logits = twin(images)
    for hook in hooks:
        hook.remove()
    yield from seen
    yield twin, logits


def _is_attention(module: nn.Module) -> bool:
    """Say whether this is an attention itself: what its parts give are heads and queries, not maps."""
    return "attention" in type(module).__name__.lower() and not isinstance(module, nn.Sequential)


def _read_maps(outputs: list[tuple[nn.Module, Tensor]], sides: tuple[int, int]) -> Iterator[tuple[Tensor, MapReading]]:
    """Give the outputs that are maps of more than one pixel; tokens lie as the patches did when they were cut."""
    grid: tuple[int, int] | None = None
    layout: MapLayout = "channels first"
    for module, output in outputs:
        if output.ndim == 4 and (chosen := _choose_layout(module, output, sides, layout)):
            layout = chosen
            height, width = output.shape[2:] if layout == "channels first" else output.shape[1:3]
            grid = height, width
        elif output.ndim == 3 and (grid := _fit_grid(output.shape[1], grid, sides)):
            chosen = "tokens"
        else:
            continue
        if grid and math.prod(grid) > 1:
            yield output, MapReading(chosen, grid)


def _choose_layout(module: nn.Module, output: Tensor, sides: tuple[int, int], before: MapLayout) -> MapLayout | None:
    """Ask the layer, then the proportions, then what came before; None is no map."""
    first, second, third = output.shape[1:]
    fits: dict[MapLayout, float] = {
        "channels first": _measure_aspect_error((second, third), sides),
        "channels last": _measure_aspect_error((first, second), sides),
    }
    known = _know_layout(module, third)
    best = known or min(fits, key=lambda name: (fits[name], name != before))
    return best if fits[best] <= MAX_ASPECT_ERROR else None


def _know_layout(module: nn.Module, last: int) -> MapLayout | None:
    """Return the layout of layers that have only one; a layer norm may be wrapped to have either."""
    if isinstance(module, CHANNELS_FIRST_LAYERS):
        return "channels first"
    if isinstance(module, nn.Linear) and module.out_features == last:
        return "channels last"
    if isinstance(module, nn.LayerNorm):
        return "channels last" if module.normalized_shape == (last,) else "channels first"
    return None


def _measure_aspect_error(grid: tuple[int, int], sides: tuple[int, int]) -> float:
    ratio = grid[0] * sides[1] / (grid[1] * sides[0])
    return max(ratio, 1 / ratio)


def _fit_grid(tokens: int, grid: tuple[int, int] | None, sides: tuple[int, int]) -> tuple[int, int] | None:
    """Return rows and columns of so many tokens: those of the map before, else those of the picture's proportions."""
    if grid is not None:
        return grid if 0 <= tokens - math.prod(grid) <= MAX_PREFIX_TOKENS else None
    for prefix in range(min(MAX_PREFIX_TOKENS, tokens - 1)):
        count = tokens - prefix
        rows = round(math.sqrt(count * sides[0] / sides[1]))
        if rows and count % rows == 0 and _measure_aspect_error((rows, count // rows), sides) < 1.01:
            return rows, count // rows
    return None

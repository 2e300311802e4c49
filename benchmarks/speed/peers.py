"""The same Glow (32×32×3, three levels, affine couplings of 3×3, 1×1, 3×3) as each peer builds it.

A flow is a pair: a function of images to codes, and of codes to images; whatever the codes are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

SHAPE, LEVELS = (3, 32, 32), 3
STEPS, HIDDEN = 32, 512


class Flow(NamedTuple):
    network: nn.Module
    encode: Callable[[Tensor], Any]
    decode: Callable[[Any], Tensor]


def coupling_network(inputs: int, outputs: int) -> nn.Sequential:
    last = nn.Conv2d(HIDDEN, outputs, 3, padding=1)
    nn.init.normal_(last.weight, 0, 1e-3)
    first, second = nn.Conv2d(inputs, HIDDEN, 3, padding=1), nn.Conv2d(HIDDEN, HIDDEN, 1)
    return nn.Sequential(first, nn.ReLU(), second, nn.ReLU(), last)


def freia(steps: int = STEPS) -> Flow:
    """FrEIA 0.2: GraphINN of AllInOneBlock (fixed rotations), IRevNetDownsampling, Split."""
    import FrEIA.framework as Ff  # type: ignore[import-not-found]
    import FrEIA.modules as Fm  # type: ignore[import-not-found]

    block = {"subnet_constructor": coupling_network, "permute_soft": True}
    nodes: list[Any] = [Ff.InputNode(*SHAPE)]
    leaving: list[Any] = []
    for level in range(LEVELS):
        nodes.append(Ff.Node(nodes[-1], Fm.IRevNetDownsampling, {}))
        nodes += _chain(Ff, Fm.AllInOneBlock, block, nodes[-1], steps)
        if level < LEVELS - 1:
            split: Any = Ff.Node(nodes[-1], Fm.Split, {})
            leaving.append(Ff.OutputNode(split.out1))
            nodes += [split, Ff.Node(split.out0, Fm.PermuteRandom, {"seed": level})]
    network = Ff.GraphINN([*nodes, *leaving, Ff.OutputNode(nodes[-1])], verbose=False)
    return Flow(network, lambda x: network(x, jac=False)[0], lambda z: network(z, rev=True, jac=False)[0])


def _chain(Ff: Any, kind: Any, arguments: dict[str, Any], before: Any, count: int) -> list[Any]:
    nodes = []
    for _ in range(count):
        nodes.append(Ff.Node(nodes[-1] if nodes else before, kind, arguments))
    return nodes


def normflows(steps: int = STEPS) -> Flow:
    """normflows 1.7: MultiscaleFlow of GlowBlock (LU-parametrised), Squeeze, Merge."""
    import normflows as nf  # type: ignore[import-not-found]

    bases, merges, flows = [], [], []
    for level in range(LEVELS):
        channels, size = 3 * 2 ** (LEVELS + 1 - level), 32 // 2 ** (LEVELS - level)
        blocks = [nf.flows.GlowBlock(channels, HIDDEN, split_mode="channel", scale=True) for _ in range(steps)]
        flows.append([*blocks, nf.flows.Squeeze()])
        if level > 0:
            merges.append(nf.flows.Merge())
        leaving = (channels if level == 0 else channels // 2, size, size)
        bases.append(nf.distributions.DiagGaussian(leaving))
    network = nf.MultiscaleFlow(bases, flows, merges)
    return Flow(network, lambda x: network.inverse_and_log_det(x)[0], lambda z: network.forward_and_log_det(z)[0])


def nflows(steps: int = STEPS) -> Flow:
    """nflows 0.14: MultiscaleCompositeTransform of ActNorm, OneByOneConvolution (LU, cached), AffineCoupling."""
    from nflows import transforms as T  # type: ignore[import-not-found]

    shape, whole = SHAPE, T.MultiscaleCompositeTransform(LEVELS)
    for _ in range(LEVELS):
        shape = (4 * shape[0], shape[1] // 2, shape[2] // 2)
        mask = torch.ones(shape[0])
        mask[: shape[0] // 2] = -1
        parts: list[Any] = [T.SqueezeTransform()]
        for _ in range(steps):
            coupling = T.AffineCouplingTransform(mask, lambda a, b: _Context(coupling_network(a, b)))
            parts += [T.ActNorm(shape[0]), T.OneByOneConvolution(shape[0], using_cache=True), coupling]
        shape = whole.add_transform(T.CompositeTransform(parts), shape) or shape
    return Flow(whole, lambda x: whole(x)[0], lambda z: whole.inverse(z)[0])


class _Context(nn.Module):
    """nflows gives its networks a context, too."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor, context: object = None) -> Tensor:
        return self.network(x)


PEERS: dict[str, Callable[[], Flow]] = {"FrEIA": freia, "normflows": normflows, "nflows": nflows}

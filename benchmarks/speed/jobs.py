"""What is timed: for each job its entrants, ours first; each prepares itself and gives the call to repeat."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from scipy.optimize import linear_sum_assignment
from torch import Tensor, nn

from benchmarks.speed.peers import HIDDEN, PEERS, SHAPE, STEPS
from latentlab import chance
from latentlab.models import Glow, ResNet18, StyleGAN2, fast_form
from latentlab.models.modules import channels_last
from latentlab.models.precision import autocast
from latentlab.models.style_layers import GAIN, StyledConv, blur
from latentlab.operators import METHODS, match
from latentlab.types import Batch, Bench

Call = Callable[[], Any]
CLASSES = tuple("0123456789")
CHANNELS = (512, 512, 512, 512)  # of the published StyleGAN2 up to 32 pixels


def images(count: int) -> Tensor:
    return chance.uniform((count, *SHAPE), chance.seeded(0))


def glow() -> Glow:
    network = Glow(SHAPE, levels=3, steps=STEPS, hidden=HIDDEN)
    for name, parameter in network.named_parameters():
        if name.endswith("net.4.weight"):
            nn.init.normal_(parameter, 0, 1e-3)
    return network.eval().requires_grad_(False)


def flow(entrant: str) -> tuple[Callable[[Any], Any], Callable[[Any], Tensor]]:
    """Encoder and decoder, whatever the codes are."""
    if entrant == "ours, fast":
        fast = fast_form(glow())
        return fast.encode, fast.decode
    if entrant == "ours, exact":
        exact = glow()
        return exact.encode, exact.decode
    name, _, precision = entrant.partition(", ")
    peer = PEERS[name]()
    peer.encode(images(4))  # data-dependent starts
    peer.network.eval().requires_grad_(False)

    def decode(codes: Any) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            return peer.decode(codes).float()

    return peer.encode, decode


def decoding(entrant: str, batch: int) -> Call:
    encode, decode = flow(entrant)
    with torch.no_grad():
        codes = encode(images(batch))
    return torch.no_grad()(lambda: decode(codes))


def gradient(entrant: str, batch: int) -> Call:
    """Of a loss through the decoder and a ResNet-18, with respect to the codes."""
    encode, decode = flow(entrant)
    classifier = ResNet18(SHAPE, CLASSES).eval().requires_grad_(False)
    classifier = fast_form(classifier) if entrant == "ours, fast" else classifier
    quick = "bf16" in entrant
    classifier = channels_last(classifier) if quick else classifier
    with torch.no_grad():
        codes = encode(images(batch))
    leaves = leaves_of(codes)

    def run() -> Any:
        with torch.autocast("cpu", torch.bfloat16, enabled=quick):
            loss = classifier(decode(codes)).logsumexp(1).sum()
        return torch.autograd.grad(loss, leaves)

    return run


def leaves_of(codes: Any) -> list[Tensor]:
    parts = (
        list(codes.parts.values()) if hasattr(codes, "parts") else [codes] if torch.is_tensor(codes) else list(codes)
    )
    return [part.requires_grad_() for part in parts]


def synthesis(entrant: str, batch: int) -> Call:
    network = StyleGAN2(SHAPE, CHANNELS, encoder=False).eval().requires_grad_(False)
    latents = network.sample(batch, chance.seeded(0))
    if entrant == "ours":
        network = fast_form(channels_last(network))
    else:
        for layer in network.convs:
            assert isinstance(layer, StyledConv)
            layer.forward = published(layer)
    return torch.no_grad()(lambda: network.decode(latents))


def published(layer: StyledConv) -> Callable[..., Tensor]:
    """As in the published code: a weight an image, modulated and demodulated, in one grouped convolution."""
    conv = layer.conv

    def forward(x: Tensor, w: Tensor, noise: Tensor | None) -> Tensor:
        count = len(x)
        weight = conv.weight * conv.gain * conv.affine(w)[:, None, :, None, None]
        weight = weight * (weight.square().sum((2, 3, 4), keepdim=True) + 1e-8).rsqrt()
        if conv.up:
            grouped = weight.transpose(1, 2).flatten(0, 1)
            y = F.conv_transpose2d(x.reshape(1, -1, *x.shape[2:]), grouped, stride=2, groups=count)
            y = blur(y.reshape(count, -1, *y.shape[2:]), conv.kernel)
        else:
            y = F.conv2d(x.reshape(1, -1, *x.shape[2:]), weight.flatten(0, 1), padding=1, groups=count)
            y = y.reshape(count, -1, *y.shape[2:])
        return F.leaky_relu(y * GAIN + layer.bias[:, None, None] * GAIN + layer.noise * layer.strength * GAIN, 0.2)

    return forward


def input_gradient(entrant: str, batch: int) -> Call:
    network = ResNet18(SHAPE, CLASSES).eval().requires_grad_(False)
    network = fast_form(network) if entrant == "ours" else network
    pictures = images(batch).requires_grad_()
    return lambda: torch.autograd.grad(network(pictures).logsumexp(1).sum(), pictures)


def partners(entrant: str, batch: int, k: int) -> Call:
    """Assignments of a whole batch of latents in ten clusters, k at a time."""
    rng = chance.seeded(0)
    centres = 4 * chance.normal((10, 256), rng)
    points = centres[torch.arange(2 * batch) % 10] + chance.normal((2 * batch, 256), rng)
    solve = match if entrant == "ours" else by_scipy
    pieces = [(points[i : i + k], points[batch + i : batch + i + k]) for i in range(0, batch, k)]
    return lambda: [solve(a, b) for a, b in pieces]


def by_scipy(a: Tensor, b: Tensor) -> Any:
    return linear_sum_assignment(torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist").square().numpy())


def training_step(entrant: str, batch: int) -> Call:
    """Of a ResNet-18 in bf16: plain, or on images moved by `adversarial-la` through a flow of the shipped size."""
    network = channels_last(ResNet18(SHAPE, CLASSES))
    sgd = torch.optim.SGD(network.parameters(), 0.01, 0.9)
    space = fast_form(Glow(SHAPE).eval().requires_grad_(False))
    pictures, labels = images(batch), torch.arange(batch) % 10
    rng, attack = chance.seeded(0), METHODS["adversarial-la"].operator

    def run() -> None:
        moved = pictures
        if entrant == "adversarial-la":
            moved = attack(Batch(pictures, F.one_hot(labels, 10).float()), Bench(space, fast_form(network), rng)).images
        with autocast("cpu"):
            loss = F.cross_entropy(network(moved), labels)
        sgd.zero_grad()
        loss.backward()
        sgd.step()

    return run


FLOWS = ["ours, fast", *PEERS, *(f"{name}, bf16" for name in PEERS)]
EXACT = ["ours, exact", *PEERS]
Job = tuple[list[str], Callable[[str], Call], str]
JOBS: dict[str, Job] = {
    "decode-64": (FLOWS, lambda entrant: decoding(entrant, 64), "Glow K 32, 512 channels: decode, batch 64"),
    "decode-1": (FLOWS, lambda entrant: decoding(entrant, 1), "the same, batch 1"),
    "gradient-64": (FLOWS, lambda entrant: gradient(entrant, 64), "gradient through decode and ResNet-18, batch 64"),
    "exact-decode-16": (EXACT, lambda entrant: decoding(entrant, 16), "exact mode: decode, batch 16"),
    "exact-gradient-16": (EXACT, lambda entrant: gradient(entrant, 16), "exact mode: gradient, batch 16"),
    "stylegan2-1": (["ours", "one weight an image"], lambda e: synthesis(e, 1), "StyleGAN2 synthesis 32 px, batch 1"),
    "stylegan2-16": (["ours", "one weight an image"], lambda e: synthesis(e, 16), "the same, batch 16"),
    "input-gradient": (["ours", "fp32"], lambda e: input_gradient(e, 64), "input gradient of ResNet-18, batch 64"),
    "partners-16": (["ours", "scipy + cdist"], lambda e: partners(e, 512, 16), "k-mixup partners, k 16, batch 512"),
    "partners-512": (["ours", "scipy + cdist"], lambda e: partners(e, 512, 512), "the same, k 512"),
    "training-step": (["adversarial-la", "plain"], lambda e: training_step(e, 64), "ResNet-18 training step, batch 64"),
}

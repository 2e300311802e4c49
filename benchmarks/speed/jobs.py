"""What is timed: for each job its entrants, ours first; each prepares itself and gives the call to repeat."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from scipy.optimize import linear_sum_assignment
from torch import Tensor, nn

from benchmarks.speed.audit import IMAGES, audit_step, list_steps
from benchmarks.speed.page import slide, start
from benchmarks.speed.peers import HIDDEN, PEERS, SHAPE, STEPS
from latentlab import chance
from latentlab.models import Glow, Pixels, ResNet18, StyleGAN2, make_fast_form
from latentlab.models.modules import use_channels_last
from latentlab.models.precision import autocast_bf16
from latentlab.models.stylegan2.layers import RELU_GAIN, StyledConv, blur_features
from latentlab.operators import METHODS, match_points
from latentlab.projections import PCA, PaCMAP
from latentlab.types import Batch, Bench

Call = Callable[[], Any]
CLASSES = tuple("0123456789")
CHANNELS = (512, 512, 512, 512)  # of the published StyleGAN2 up to 32 pixels


def images(count: int) -> Tensor:
    return chance.draw_uniform((count, *SHAPE), chance.make_generator(0))


def glow() -> Glow:
    network = Glow(SHAPE, levels=3, steps=STEPS, hidden=HIDDEN)
    for name, parameter in network.named_parameters():
        if name.endswith("net.4.weight"):
            nn.init.normal_(parameter, 0, 1e-3)
    return network.eval().requires_grad_(False)


def flow(entrant: str) -> tuple[Callable[[Any], Any], Callable[[Any], Tensor]]:
    """Encoder and decoder, whatever the codes are."""
    if entrant == "ours, fast":
        fast = make_fast_form(glow())
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
    classifier = make_fast_form(classifier) if entrant == "ours, fast" else classifier
    quick = "bf16" in entrant
    classifier = use_channels_last(classifier) if quick else classifier
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
    latents = network.sample(batch, chance.make_generator(0))
    if entrant == "ours":
        network = make_fast_form(use_channels_last(network))
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
            y = blur_features(y.reshape(count, -1, *y.shape[2:]), conv.kernel)
        else:
            y = F.conv2d(x.reshape(1, -1, *x.shape[2:]), weight.flatten(0, 1), padding=1, groups=count)
            y = y.reshape(count, -1, *y.shape[2:])
        return F.leaky_relu(
            y * RELU_GAIN + layer.bias[:, None, None] * RELU_GAIN + layer.noise * layer.strength * RELU_GAIN, 0.2
        )

    return forward


def input_gradient(entrant: str, batch: int) -> Call:
    network = ResNet18(SHAPE, CLASSES).eval().requires_grad_(False)
    network = make_fast_form(network) if entrant == "ours" else network
    pictures = images(batch).requires_grad_()
    return lambda: torch.autograd.grad(network(pictures).logsumexp(1).sum(), pictures)


def partners(entrant: str, batch: int, k: int) -> Call:
    """Assignments of a whole batch of latents in ten clusters, k at a time."""
    points = clusters(2 * batch)
    solve = {"ours": match_points, "scipy + cdist": by_scipy, "POT": by_pot}[entrant]
    pieces = [(points[i : i + k], points[batch + i : batch + i + k]) for i in range(0, batch, k)]
    return lambda: [solve(a, b) for a, b in pieces]


def clusters(count: int) -> Tensor:
    rng = chance.make_generator(0)
    centres = 4 * chance.draw_normal((10, 256), rng)
    return centres[torch.arange(count) % 10] + chance.draw_normal((count, 256), rng)


def by_scipy(a: Tensor, b: Tensor) -> Any:
    return linear_sum_assignment(torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist").square().numpy())


def by_pot(a: Tensor, b: Tensor) -> Any:
    import ot

    return ot.emd([], [], ot.dist(a.numpy(), b.numpy()))


def projection(entrant: str) -> Call:
    points = clusters(10_000)
    if entrant == "pacmap":
        import pacmap  # type: ignore[import-not-found]

        return lambda: pacmap.PaCMAP().fit_transform(points.numpy())
    if entrant == "umap-learn":
        import umap

        return lambda: umap.UMAP().fit_transform(points.numpy())
    ours = PaCMAP() if entrant == "ours, PaCMAP" else PCA()
    return lambda: ours.fit(points)


def training_step(entrant: str, batch: int) -> Call:
    """Of a ResNet-18 in bf16: plain, or on images moved by `adversarial-la` through a flow of the shipped size."""
    network = use_channels_last(ResNet18(SHAPE, CLASSES))
    sgd = torch.optim.SGD(network.parameters(), 0.01, 0.9)
    space = make_fast_form(Glow(SHAPE).eval().requires_grad_(False))
    pictures, labels = images(batch), torch.arange(batch) % 10
    rng, attack = chance.make_generator(0), METHODS["adversarial-la"].operator

    def run() -> None:
        moved = pictures
        if entrant == "adversarial-la":
            moved = attack(
                Batch(pictures, F.one_hot(labels, 10).float()), Bench(space, make_fast_form(network), rng)
            ).images
        with autocast_bf16("cpu"):
            loss = F.cross_entropy(network(moved), labels)
        sgd.zero_grad()
        loss.backward()
        sgd.step()

    return run


def pixel_attack(entrant: str, batch: int) -> Call:
    """The published PGD of seven steps against a ResNet-18."""
    network = ResNet18(SHAPE, CLASSES).eval().requires_grad_(False)
    pictures, labels = images(batch), torch.arange(batch) % 10
    if entrant == "torchattacks":
        import torchattacks  # type: ignore[import-not-found]

        peer = torchattacks.PGD(network, eps=8 / 255, alpha=2 / 255, steps=7)
        return lambda: peer(pictures, labels)
    bench = Bench(
        Pixels(SHAPE), make_fast_form(network) if entrant == "ours, fast" else network, chance.make_generator(0)
    )
    whole = Batch(pictures, F.one_hot(labels, 10).float())
    return lambda: METHODS["pixel-pgd"].operator(whole, bench)


FLOWS = ["ours, fast", *PEERS, *(f"{name}, bf16" for name in PEERS)]
EXACT = ["ours, exact", *PEERS]
SOLVERS = ["ours", "scipy + cdist", "POT"]
GLOW, GAN, RESNET = 8.02, 8.0, 2.23  # GFLOP an image: decode, synthesis, forward and input gradient


class Job(NamedTuple):
    title: str
    entrants: list[str]  # ours first; the others' times are told in its
    prepare: Callable[[str], Call]
    gflop: float = 0  # that its products take at least, in bf16; 0 where products are not what it takes
    exact: bool = False  # in fp32
    within: str = ""  # the job of which it is a part
    images: int = 0  # of a call, where their rate is told
    turns: int = 0  # of a call that gives the seconds it took, so many; 0 where the clock is outside


JOBS: dict[str, Job] = {
    "decode-64": Job("Glow K 32, 512 channels: decode, batch 64", FLOWS, lambda e: decoding(e, 64), 64 * GLOW),
    "decode-1": Job("the same, batch 1", FLOWS, lambda e: decoding(e, 1), GLOW),
    "gradient-64": Job(
        "gradient through decode and ResNet-18, batch 64", FLOWS, lambda e: gradient(e, 64), 64 * (2 * GLOW + RESNET)
    ),
    "exact-decode-16": Job("exact mode: decode, batch 16", EXACT, lambda e: decoding(e, 16), 16 * GLOW, exact=True),
    "exact-gradient-16": Job(
        "exact mode: gradient, batch 16", EXACT, lambda e: gradient(e, 16), 16 * (2 * GLOW + RESNET), exact=True
    ),
    "stylegan2-1": Job(
        "StyleGAN2 synthesis 32 px, batch 1", ["ours", "one weight an image"], lambda e: synthesis(e, 1), GAN
    ),
    "stylegan2-16": Job("the same, batch 16", ["ours", "one weight an image"], lambda e: synthesis(e, 16), 16 * GAN),
    "input-gradient": Job(
        "input gradient of ResNet-18, batch 64", ["ours", "fp32"], lambda e: input_gradient(e, 64), 64 * RESNET
    ),
    "training-step": Job(
        "ResNet-18 training step, batch 64", ["adversarial-la", "plain"], lambda e: training_step(e, 64)
    ),
    "pixel-pgd": Job(
        "pixel PGD, 7 steps against ResNet-18, batch 64",
        ["ours, fast", "ours, exact", "torchattacks"],
        lambda e: pixel_attack(e, 64),
        7 * 64 * RESNET,
    ),
    "step-512": Job("ResNet-18 training step, batch 512", ["plain"], lambda e: training_step(e, 512)),
    **{
        f"partners-{k}": Job(
            f"k-mixup partners, k {k}, batch 512", SOLVERS, partial(partners, batch=512, k=k), within="step-512"
        )
        for k in (16, 32, 64, 128, 256, 512)
    },
    "picture": Job("first picture (PCA) of 10,000 × 256", ["ours"], projection),
    "projection": Job("projection of 10,000 × 256", ["ours, PaCMAP", "pacmap", "umap-learn"], projection),
    "audit": Job("audit of 100 images, cifar10-glow", list_steps(), audit_step, images=IMAGES),
    "slider": Job("slider drag until the picture is painted, cifar10-glow", ["ours"], slide, turns=40),
    "start": Job("python app.py until the page answers", ["ours", "import torch, gradio"], start),
}

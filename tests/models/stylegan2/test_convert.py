"""Conversion against an independent generator in the published layout, and files that are something else."""

import argparse
import itertools
import math
import zipfile

import pytest
import torch
import torch.nn.functional as F

from latentlab import models
from latentlab.errors import UserError
from latentlab.models.stylegan2.convert import convert_stylegan2
from latentlab.models.stylegan2.generator import StyleGAN2

CHANNELS, STYLE, MLP = (16, 16, 8), 12, 3


def make_published_weights() -> dict[str, torch.Tensor]:
    """Random tensors with the names and shapes of rosinality's stylegan2-pytorch."""
    torch.manual_seed(3)
    tensors = {"input.input": torch.randn(1, CHANNELS[0], 4, 4)}
    for layer in range(1, MLP + 1):
        tensors |= {f"style.{layer}.weight": torch.randn(STYLE, STYLE) * 100, f"style.{layer}.bias": torch.randn(STYLE)}
    convs = [(CHANNELS[0], CHANNELS[0])]
    for a, b in itertools.pairwise(CHANNELS):
        convs += [(a, b), (b, b)]
    kernel = torch.outer(*[torch.tensor([1.0, 3, 3, 1])] * 2) / 16
    for layer, (a, b) in enumerate(convs):
        name = "conv1" if layer == 0 else f"convs.{layer - 1}"
        tensors |= make_modulated_weights(f"{name}.conv", a, b, 3)
        tensors |= {f"{name}.noise.weight": torch.randn(1), f"{name}.activate.bias": torch.randn(b)}
        size = 4 * 2 ** ((layer + 1) // 2)
        tensors[f"noises.noise_{layer}"] = torch.randn(1, 1, size, size)
        if layer % 2:
            tensors[f"{name}.conv.blur.kernel"] = kernel
    for level, width in enumerate(CHANNELS):
        name = "to_rgb1" if level == 0 else f"to_rgbs.{level - 1}"
        tensors |= make_modulated_weights(f"{name}.conv", width, 3, 1) | {f"{name}.bias": torch.randn(1, 3, 1, 1)}
        if level:
            tensors[f"{name}.upsample.kernel"] = kernel
    return tensors


def make_modulated_weights(name: str, inputs: int, outputs: int, size: int) -> dict[str, torch.Tensor]:
    return {
        f"{name}.weight": torch.randn(1, outputs, inputs, size, size),
        f"{name}.modulation.weight": torch.randn(inputs, STYLE),
        f"{name}.modulation.bias": torch.ones(inputs),
    }


def stuff_zeros(x: torch.Tensor) -> torch.Tensor:
    """Zeros between the pixels."""
    wide = x.new_zeros(*x.shape[:2], 2 * x.shape[2], 2 * x.shape[3])
    wide[:, :, ::2, ::2] = x
    return wide


def convolve_grouped(
    t: dict, name: str, x: torch.Tensor, w: torch.Tensor, up: bool, demodulate: bool = True
) -> torch.Tensor:
    """One convolution with a group and weights of its own for every image."""
    count, weight = len(x), t[f"{name}.weight"]
    style = F.linear(w, t[f"{name}.modulation.weight"] / math.sqrt(STYLE), t[f"{name}.modulation.bias"])
    weight = weight * style[:, None, :, None, None] / math.sqrt(weight[0, 0].numel())
    if demodulate:
        weight = weight * torch.rsqrt(weight.pow(2).sum([2, 3, 4], keepdim=True) + 1e-8)
    joined, size = x.reshape(1, -1, *x.shape[2:]), weight.shape[-1]
    if not up:
        y = F.conv2d(joined, weight.flatten(0, 1), padding=size // 2, groups=count)
        return y.reshape(count, -1, *x.shape[2:])
    turned = weight.transpose(1, 2).flatten(0, 1)
    y = F.conv_transpose2d(joined, turned, stride=2, groups=count)
    return smooth(y.reshape(count, -1, *y.shape[2:]), (1, 1))


def smooth(x: torch.Tensor, pad: tuple[int, int]) -> torch.Tensor:
    kernel = torch.outer(*[torch.tensor([1.0, 3, 3, 1])] * 2) / 16
    padded = F.pad(x, (pad[0], pad[1], pad[0], pad[1]))
    return F.conv2d(padded.flatten(0, 1)[:, None], kernel[None, None]).reshape(*x.shape[:2], padded.shape[2] - 3, -1)


def generate(t: dict[str, torch.Tensor], codes: torch.Tensor) -> torch.Tensor:
    """Images in [−1, 1] from W+ codes, with the stored noise."""
    x, skip = t["input.input"].repeat(len(codes), 1, 1, 1), None
    for layer in range(2 * len(CHANNELS) - 1):
        name = "conv1" if layer == 0 else f"convs.{layer - 1}"
        x = convolve_grouped(t, f"{name}.conv", x, codes[:, layer], up=layer % 2 == 1)
        x = x + t[f"{name}.noise.weight"] * t[f"noises.noise_{layer}"] + t[f"{name}.activate.bias"].view(1, -1, 1, 1)
        x = F.leaky_relu(x, 0.2) * math.sqrt(2)
        if layer % 2 == 0:
            name = "to_rgb1" if layer == 0 else f"to_rgbs.{layer // 2 - 1}"
            image = (
                convolve_grouped(t, f"{name}.conv", x, codes[:, layer + 1], up=False, demodulate=False)
                + t[f"{name}.bias"]
            )
            skip = image if skip is None else image + smooth(stuff_zeros(skip), (2, 1))
    assert skip is not None
    return skip


def map_noise(t: dict[str, torch.Tensor], z: torch.Tensor) -> torch.Tensor:
    x = z * torch.rsqrt(z.pow(2).mean(1, keepdim=True) + 1e-8)
    for layer in range(1, MLP + 1):
        x = F.linear(x, t[f"style.{layer}.weight"] * 0.01 / math.sqrt(STYLE)) + t[f"style.{layer}.bias"] * 0.01
        x = F.leaky_relu(x, 0.2) * math.sqrt(2)
    return x


def test_converted_images_equal_the_published_generators(tmp_path):
    tensors = make_published_weights()
    torch.save({"g_ema": tensors, "latent_avg": torch.zeros(STYLE)}, tmp_path / "published.pt")
    card = convert_stylegan2(tmp_path / "published.pt", tmp_path / "net.safetensors")
    again, network = models.load_network(tmp_path / "net.safetensors")
    assert isinstance(network, StyleGAN2)
    assert again.kind == "stylegan2"
    assert card.image_shape == (3, 16, 16)
    z = torch.randn(3, STYLE)
    assert torch.allclose(network.mapping(z), map_noise(tensors, z), atol=1e-4)
    codes = torch.randn(3, 6, STYLE)
    expected = (generate(tensors, codes) + 1) / 2
    assert (network.synthesise_images(codes) - expected).abs().max() < 1e-4 * expected.abs().max()
    latents = network.split_codes(network.whiten_codes(codes))
    assert torch.allclose(network.decode(latents), expected.clamp(0, 1), atol=1e-4)
    assert torch.equal(network.w_mean, torch.zeros(STYLE))


def test_a_training_checkpoint_with_its_settings_is_read(tmp_path):
    settings = argparse.Namespace(size=16)
    whole = {"g_ema": make_published_weights(), "g": {}, "d_optim": {"state": {}}, "args": settings, "ada_aug_p": 0.1}
    torch.save(whole, tmp_path / "published.pt")
    assert convert_stylegan2(tmp_path / "published.pt", tmp_path / "net.safetensors").arguments["channels"] == list(
        CHANNELS
    )


class Evil:
    def __reduce__(self):
        return print, ("code ran",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"g_ema": {}}, "no StyleGAN2"),
        ({"g_ema": {"input.input": 3}}, "no g_ema of tensors"),
        ({"g_ema": Evil()}, "more than tensors"),
        ([1, 2], "no dictionary"),
        ({"g_ema": make_published_weights() | {"convs.0.conv.weight": torch.zeros(1, 2, 2, 3, 3)}}, "no StyleGAN2"),
        ({"g_ema": make_published_weights() | {"input.input": torch.full((1, 16, 4, 4), float("nan"))}}, "not finite"),
    ],
)
def test_other_files_are_one_clear_line(content, message, tmp_path, capsys):
    torch.save(content, tmp_path / "bad.pt")
    with pytest.raises(UserError, match=message):
        convert_stylegan2(tmp_path / "bad.pt", tmp_path / "net.safetensors")
    assert not (tmp_path / "net.safetensors").exists()
    assert "code ran" not in capsys.readouterr().out


def test_missing_text_and_empty_archives_are_one_clear_line(tmp_path):
    with pytest.raises(UserError, match="no file"):
        convert_stylegan2(tmp_path / "none.pt", tmp_path / "net.safetensors")
    (tmp_path / "text.pt").write_text("hello")
    with pytest.raises(UserError, match=r"not a \.pt file"):
        convert_stylegan2(tmp_path / "text.pt", tmp_path / "net.safetensors")
    with zipfile.ZipFile(tmp_path / "empty.pt", "w") as archive:
        archive.writestr("a", "b")
    with pytest.raises(UserError, match="damaged"):
        convert_stylegan2(tmp_path / "empty.pt", tmp_path / "net.safetensors")

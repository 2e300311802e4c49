"""Grad-CAM looks at the last map of the picture, however a network lays it out: small networks added up by hand."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from latentlab.errors import UserError
from latentlab.explainers import GradCAM, feature_maps
from latentlab.models.classifiers.architectures import build_architecture

PATCH, ROWS, COLUMNS = 4, 3, 5  # pictures of 12 × 20 pixels in 3 × 5 patches


class Patches(nn.Module):
    """Cuts the picture into patches: channel 0 of each place is its mean brightness, channel 1 is 0."""

    def __init__(self) -> None:
        super().__init__()
        self.cut = nn.Conv2d(3, 2, PATCH, PATCH, bias=False)
        self.cut.weight.data[0] = 1 / (3 * PATCH**2)
        self.cut.weight.data[1] = 0

    def forward(self, images: Tensor) -> Tensor:
        return self.cut(images)


def make_scale(factor: float) -> nn.Linear:
    layer = nn.Linear(2, 2, bias=False)
    layer.weight.data = torch.eye(2) * factor
    return layer


class ChannelsFirst(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.patches, self.twice = Patches(), nn.Conv2d(2, 2, 1, bias=False)
        self.twice.weight.data = 2 * torch.eye(2)[:, :, None, None]

    def forward(self, images: Tensor) -> Tensor:
        return self.twice(self.patches(images)).mean((2, 3))


class ChannelsLast(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.patches, self.twice = Patches(), make_scale(2)

    def forward(self, images: Tensor) -> Tensor:
        return self.twice(self.patches(images).permute(0, 2, 3, 1)).mean((1, 2))


class Tokens(nn.Module):
    """Pools its patches; `prefix` tokens of another kind stand before them."""

    def __init__(self, prefix: int) -> None:
        super().__init__()
        self.patches, self.twice, self.prefix = Patches(), make_scale(2), prefix

    def forward(self, images: Tensor) -> Tensor:
        tokens = self.patches(images).flatten(2).transpose(1, 2)
        whole = torch.cat([tokens.new_ones(len(tokens), self.prefix, 2), tokens], 1)
        return self.twice(whole)[:, self.prefix :].mean(1)


class MeanAttention(nn.Module):
    """The class token reads the mean of all tokens; the others stay as they are."""

    def __init__(self) -> None:
        super().__init__()
        self.value = make_scale(1)

    def forward(self, tokens: Tensor) -> Tensor:
        return torch.cat([self.value(tokens)[:, 1:].mean(1, keepdim=True), tokens[:, 1:]], 1)


class ClassToken(nn.Module):
    """Decides by its class token: the tokens after the attention say nothing any more."""

    def __init__(self) -> None:
        super().__init__()
        self.patches, self.twice, self.attention, self.after = Patches(), make_scale(2), MeanAttention(), make_scale(1)

    def forward(self, images: Tensor) -> Tensor:
        tokens = self.patches(images).flatten(2).transpose(1, 2)
        whole = self.twice(torch.cat([torch.zeros_like(tokens[:, :1]), tokens], 1))
        return self.after(self.attention(whole))[:, 0]


LAYOUTS: dict[str, Callable[[], nn.Module]] = {
    "channels first": ChannelsFirst,
    "channels last": ChannelsLast,
    "tokens": lambda: Tokens(0),
    "tokens behind a class token": lambda: Tokens(1),
    "tokens behind two": lambda: Tokens(2),
    "class token": ClassToken,
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_map_of_each_layout_is_the_one_that_a_hand_adds_up(layout: str) -> None:
    """Twice the brightness of each patch, times its weight in the mean of all patches."""
    picture = torch.zeros(2, 3, ROWS * PATCH, COLUMNS * PATCH)
    picture[:, :, PATCH : 2 * PATCH, 3 * PATCH : 4 * PATCH] = 1
    picture[:, :, 2 * PATCH :, :PATCH] = 0.5
    maps, slopes = feature_maps.compute_map_gradient(LAYOUTS[layout](), picture.requires_grad_(), torch.tensor([0, 0]))
    expected = torch.zeros(ROWS, COLUMNS)
    expected[1, 3], expected[2, 0] = 2, 1
    torch.testing.assert_close(maps[0, 0].detach(), expected)
    torch.testing.assert_close(slopes[0, 0], torch.full((ROWS, COLUMNS), 1 / (ROWS * COLUMNS)))
    heat = GradCAM()(picture.detach(), LAYOUTS[layout](), torch.tensor([0, 0]))
    assert heat.shape == (2, 12, 20)
    assert divmod(int(heat[0].argmax()), 20)[0] in range(PATCH, 2 * PATCH)
    assert divmod(int(heat[0].argmax()), 20)[1] in range(3 * PATCH, 4 * PATCH)


ARCHITECTURES = {
    "timm:vit_tiny_patch16_224": (14, 14),
    "timm:deit_tiny_distilled_patch16_224": (14, 14),
    "timm:swin_tiny_patch4_window7_224": (7, 7),
    "torchvision:swin_t": (7, 7),
    "timm:mixer_s32_224": (7, 7),
    "torchvision:convnext_tiny": (7, 7),
    "timm:resnet18": (7, 7),
}


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_known_architectures_show_a_map_that_the_logits_depend_on(architecture: str) -> None:
    network = build_architecture(architecture, 3).eval()
    for parameter in network.parameters():
        if not parameter.any():  # heads that begin at zero
            nn.init.normal_(parameter, 0, 0.02)
    pictures = torch.rand(1, 3, 224, 224, generator=torch.Generator().manual_seed(0), requires_grad=True)
    maps, slopes = feature_maps.compute_map_gradient(network, pictures, torch.tensor([1]))
    assert maps.shape[2:] == ARCHITECTURES[architecture]
    assert slopes.abs().amax() > 0


def test_a_network_that_hides_its_layers_is_refused() -> None:
    script = torch.jit.trace(ChannelsFirst(), torch.rand(1, 3, 12, 20))
    with pytest.raises(UserError, match="hides its layers"):
        GradCAM()(torch.rand(1, 3, 12, 20), script, torch.tensor([0]))

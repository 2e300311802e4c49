"""Laws of every explainer; integrated gradients and saliency against autograd; a map that a person can add up."""

from __future__ import annotations

import copy
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch
from repository import CHECKPOINTS
from torch import Tensor, nn

from latentlab import datasets
from latentlab.errors import UserError
from latentlab.explainers import EXPLAINERS, GradCAM, IntegratedGradients, Occlusion, Saliency
from latentlab.models import AttributeClassifier
from latentlab.models.classifiers import external
from latentlab.models.classifiers.architectures import build_architecture
from latentlab.models.classifiers.resnet import ResNet18, SmallResNet
from latentlab.store import Store

CLASSES = 4
every = pytest.mark.parametrize("name", EXPLAINERS)


def convolutions(scale: float = 1.0, inplace: bool = True) -> nn.Sequential:
    """Untrained, in training mode but for one layer, with ReLUs that overwrite their input."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1),
            nn.ReLU(inplace=inplace),
            nn.BatchNorm2d(8),
            nn.MaxPool2d(2),
            nn.Conv2d(8, 8, 3, padding=1),
            nn.ReLU(inplace=inplace),
            nn.Flatten(),
            nn.Dropout(0.5),
            nn.Linear(8 * 8 * 8, CLASSES),
        )
    net[2].eval()
    for parameter in net.parameters():
        parameter.data *= scale
    return net


@pytest.fixture
def pictures() -> Tensor:
    return torch.rand(3, 3, 16, 16, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def target() -> Tensor:
    return torch.tensor([0, 2, 1])


@every
def test_a_map_for_each_image_in_its_size(name: str, pictures: Tensor, target: Tensor) -> None:
    heat = EXPLAINERS[name]()(pictures, convolutions(), target)
    assert heat.shape == (3, 16, 16)
    assert heat.isfinite().all()
    assert heat.abs().amax() > 0
    assert not heat.requires_grad


@every
def test_the_class_asked_for_matters(name: str, pictures: Tensor, target: Tensor) -> None:
    tool, net = EXPLAINERS[name](), convolutions()
    assert not tool(pictures, net, target).equal(tool(pictures, net, (target + 1) % CLASSES))


@every
def test_leaves_no_trace(name: str, pictures: Tensor, target: Tensor) -> None:
    net, before = convolutions(), pictures.clone()
    state, modes = copy.deepcopy(net.state_dict()), [module.training for module in net.modules()]
    EXPLAINERS[name]()(pictures, net, target)
    assert all(torch.equal(state[key], value) for key, value in net.state_dict().items())
    assert [module.training for module in net.modules()] == modes
    assert all(p.grad is None and p.requires_grad for p in net.parameters())
    assert not any(m._forward_hooks or m._forward_pre_hooks or m._backward_hooks for m in net.modules())
    assert net[1].inplace
    assert pictures.equal(before)
    assert not pictures.requires_grad


@every
def test_the_same_again_and_among_others_at_once(name: str, pictures: Tensor, target: Tensor) -> None:
    tool, net = EXPLAINERS[name](), convolutions()
    alone = [tool(pictures, net, (target + k) % CLASSES) for k in range(CLASSES)]
    with ThreadPoolExecutor(4) as pool:
        futures = [pool.submit(tool, pictures, net, (target + k % CLASSES) % CLASSES) for k in range(12)]
    assert all(future.result().equal(alone[k % CLASSES]) for k, future in enumerate(futures))


@every
def test_a_constant_classifier_is_explained_by_nothing(name: str, pictures: Tensor, target: Tensor) -> None:
    assert EXPLAINERS[name]()(pictures, convolutions(scale=0.0), target).abs().amax() == 0


@every
def test_a_relu_that_overwrites_its_input_changes_nothing(name: str, pictures: Tensor, target: Tensor) -> None:
    tool = EXPLAINERS[name]()
    assert tool(pictures, convolutions(), target).equal(tool(pictures, convolutions(inplace=False), target))


@every
def test_also_where_gradients_are_off(name: str, pictures: Tensor, target: Tensor) -> None:
    tool, net = EXPLAINERS[name](), convolutions()
    with torch.no_grad():
        silent = tool(pictures, net, target)
    assert silent.equal(tool(pictures, net, target))


def gradient(net: nn.Module, pictures: Tensor, target: Tensor) -> Tensor:
    x = pictures.clone().requires_grad_()
    score = copy.deepcopy(net).eval()(x).gather(1, target[:, None]).sum()
    return torch.autograd.grad(score, x)[0]


def test_saliency_is_the_largest_gradient_of_the_channels(pictures: Tensor, target: Tensor) -> None:
    net = convolutions(inplace=False)
    torch.testing.assert_close(Saliency()(pictures, net, target), gradient(net, pictures, target).abs().amax(1))


@pytest.mark.parametrize(("baseline", "level"), [("black", 0.0), ("grey", 0.5), ("white", 1.0)])
def test_integrated_gradients_are_the_mean_gradient_times_the_way(
    baseline: Any, level: float, pictures: Tensor, target: Tensor
) -> None:
    net, count = convolutions(inplace=False), 1000
    way = pictures - level
    places = (torch.arange(count) + 0.5) / count
    mean = sum(gradient(net, level + place * way, target) for place in places) / count
    heat = IntegratedGradients(steps=500, baseline=baseline)(pictures, net, target)
    torch.testing.assert_close(heat, (way * mean).sum(1), atol=2e-3, rtol=0.02)


def test_on_a_linear_classifier_the_parts_can_be_added_up() -> None:
    """logit 0 is 1·(0, 0) + 2·(0, 1) − 3·(1, 1) of a picture of four pixels; logit 1 is its opposite."""
    net = nn.Sequential(nn.Flatten(), nn.Linear(4, 2, bias=False))
    net[1].weight.data = torch.tensor([[1.0, 2.0, 0.0, -3.0], [-1.0, -2.0, 0.0, 3.0]])
    picture = torch.tensor([[[[0.5, 0.25], [1.0, 0.5]]]])
    first = torch.tensor([0])
    told = IntegratedGradients(baseline="black").explain_images(picture, net, first)
    torch.testing.assert_close(told.heat[0], torch.tensor([[0.5, 0.5], [0.0, -1.5]]))
    torch.testing.assert_close(told.total, torch.tensor([-0.5]))
    assert float(told.completeness_gap[0]) < 1e-5
    hidden = Occlusion(window=1, stride=1, baseline="black")(picture, net, first)
    torch.testing.assert_close(hidden[0], torch.tensor([[0.5, 0.5], [0.0, -1.5]]))
    assert Saliency()(picture, net, first)[0].tolist() == [[1.0, 2.0], [0.0, 3.0]]


def test_grad_cam_weighs_the_maps_by_their_mean_gradient() -> None:
    """Two maps, the picture and its negative; the logit is the mean of the first less twice that of the second."""
    net = nn.Sequential(nn.Conv2d(1, 2, 1, bias=False), nn.Flatten(), nn.Linear(8, 1, bias=False))
    net[0].weight.data = torch.tensor([1.0, -1.0]).view(2, 1, 1, 1)
    net[2].weight.data = torch.tensor([[0.25] * 4 + [-0.5] * 4])
    picture = torch.tensor([[[[0.0, 0.2], [0.4, 0.8]]]])
    torch.testing.assert_close(GradCAM()(picture, net, torch.tensor([0])), 0.75 * picture[:, 0])


def test_grad_cam_needs_a_map(pictures: Tensor, target: Tensor) -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(3 * 16 * 16, CLASSES))
    with pytest.raises(UserError, match="keeps a map of the picture"):
        GradCAM()(pictures, net, target)


@pytest.mark.parametrize("knobs", [{"window": 17, "stride": 3}, {"window": 4, "stride": 5}])
def test_a_square_that_does_not_fit_is_refused(knobs: dict[str, int], pictures: Tensor, target: Tensor) -> None:
    with pytest.raises(UserError, match="the window must fit into 16 pixels"):
        Occlusion(**knobs)(pictures, convolutions(), target)


def _of_every_kind() -> dict[str, nn.Module]:
    shape, names = (3, 32, 32), ("a", "b", "c", "d")
    resnet = ResNet18(shape, names, width=8)
    brought = build_architecture("torchvision:vgg11_bn", CLASSES)
    return {
        "small": SmallResNet(shape, names, widths=(8, 8, 16)),
        "resnet18": resnet,
        "attribute": AttributeClassifier(resnet, 1),
        "brought": external.wrap_classifier(
            brought, external.ClassifierSettings(names, (0.5,) * 3, (0.2,) * 3, (3, 64, 64))
        ),
    }


@pytest.mark.parametrize("kind", ["small", "resnet18", "attribute", "brought"])
def test_grad_cam_finds_the_last_map_of_every_kind_of_classifier(kind: str) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = _of_every_kind()[kind]
    pictures = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(2))
    heat = GradCAM(only_for=False)(pictures, net, torch.tensor([1, 0]))
    assert heat.shape == (2, 32, 32)
    assert heat.std() > 0


def test_integrated_gradients_miss_less_than_a_twentieth_on_the_digits() -> None:
    net = Store(CHECKPOINTS, "cpu").load("digits-resnet")
    pictures, _ = datasets.load_world("digits").test.take_batch(slice(0, 16))
    gap = IntegratedGradients().explain_images(pictures, net, net(pictures).argmax(1)).completeness_gap
    assert gap is not None
    assert float(gap.max()) < 0.05

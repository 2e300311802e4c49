"""Classifiers: normalisation inside, attribute heads, networks that people bring."""

import pytest
import torch
from torch import nn

from latentlab import chance
from latentlab.models import Airbench, Attribute, Normalised, ResNet18, SmallResNet

SHAPE = (3, 32, 32)


@pytest.mark.parametrize("kind", [ResNet18, SmallResNet, Airbench])
def test_logits_have_one_column_a_class(kind):
    network = kind(SHAPE, ("cat", "dog", "hen")).eval()
    assert network(torch.rand(2, *SHAPE)).shape == (2, 3)
    assert network.classes == ("cat", "dog", "hen")


def test_resnet18_has_the_published_size():
    """11,173,962 parameters: the CIFAR ResNet-18 that everybody counts (kuangliu/pytorch-cifar)."""
    assert sum(p.numel() for p in ResNet18(SHAPE, "0123456789").parameters()) == 11_173_962


def test_normalisation_is_inside():
    """Scaling the inputs by hand and giving mean 0, std 1 is the same."""
    torch.manual_seed(0)
    network = ResNet18(SHAPE, "ab", mean=(0.1, 0.2, 0.3), std=(0.5, 0.6, 0.7), width=4).eval()
    bare = ResNet18(SHAPE, "ab", mean=(0, 0, 0), std=(1, 1, 1), width=4).eval()
    bare.load_state_dict(network.state_dict())
    images = chance.uniform((2, *SHAPE), chance.seeded(0))
    by_hand = (images - torch.tensor([0.1, 0.2, 0.3]).view(3, 1, 1)) / torch.tensor([0.5, 0.6, 0.7]).view(3, 1, 1)
    assert torch.allclose(network(images), bare(by_hand), atol=1e-5)


def test_the_pair_of_an_attribute_has_the_sigmoid_as_softmax():
    network = SmallResNet(SHAPE, ("Smiling", "Male")).eval()
    images = torch.rand(3, *SHAPE)
    head = Attribute(network, 1)
    assert head.classes == ("not Male", "Male")
    assert torch.allclose(head(images).softmax(1)[:, 1], network(images)[:, 1].sigmoid(), atol=1e-6)


def test_the_first_layer_of_airbench_whitens_the_patches():
    """Its first twelve answers to the pictures it was made from are uncorrelated, each of about variance 1."""
    images = chance.uniform((32, *SHAPE), chance.seeded(0))
    smooth = nn.functional.avg_pool2d(images, 3, 1, 1)
    network = Airbench(SHAPE, "ab")
    network.initialise(smooth)
    answers = network.whiten((smooth - network.mean) / network.std)[:, :12].transpose(0, 1).flatten(1)
    assert torch.allclose(answers.cov(), torch.eye(12), atol=0.1)
    assert torch.equal(network.whiten.weight[:12], -network.whiten.weight[12:])


class Mean(nn.Module):
    def forward(self, x):
        return x.mean((2, 3))


def test_a_brought_classifier_sees_its_own_size_normalised():
    wrapped = Normalised(Mean(), (3, 8, 8), "rgb", (0.5, 0.5, 0.5), (0.25, 0.25, 0.25))
    assert torch.allclose(wrapped(torch.full((1, 3, 32, 32), 0.75)), torch.ones(1, 3), atol=1e-5)

"""Classifiers: normalisation inside, attribute heads, networks that people bring."""

import pytest
import torch
from torch import nn
from torch.nn.functional import cosine_similarity, cross_entropy

from latentlab import chance
from latentlab.models import (
    Airbench,
    AttributeClassifier,
    FoldedClassifier,
    NormalisedClassifier,
    ResNet18,
    ResNet20,
    SmallResNet,
)
from latentlab.store import Store

SHAPE = (3, 32, 32)


@pytest.mark.parametrize("kind", [ResNet18, ResNet20, SmallResNet, Airbench])
def test_logits_have_one_column_a_class(kind):
    network = kind(SHAPE, ("cat", "dog", "hen")).eval()
    assert network(torch.rand(2, *SHAPE)).shape == (2, 3)
    assert network.classes == ("cat", "dog", "hen")


def test_resnet18_has_the_published_size():
    """11,173,962 parameters: the CIFAR ResNet-18 that everybody counts (kuangliu/pytorch-cifar)."""
    assert sum(p.numel() for p in ResNet18(SHAPE, "0123456789").parameters()) == 11_173_962


def test_resnet20_has_about_the_published_size():
    """He et al.'s 269,722, and 2,752 of the 1×1 convolutions with their norms where the width changes."""
    assert sum(p.numel() for p in ResNet20(SHAPE, "0123456789").parameters()) == 269_722 + 2_752


def test_normalisation_is_inside():
    """Scaling the inputs by hand and giving mean 0, std 1 is the same."""
    torch.manual_seed(0)
    network = ResNet18(SHAPE, "ab", mean=(0.1, 0.2, 0.3), std=(0.5, 0.6, 0.7), width=4).eval()
    bare = ResNet18(SHAPE, "ab", mean=(0, 0, 0), std=(1, 1, 1), width=4).eval()
    bare.load_state_dict(network.state_dict())
    images = chance.draw_uniform((2, *SHAPE), chance.make_generator(0))
    by_hand = (images - torch.tensor([0.1, 0.2, 0.3]).view(3, 1, 1)) / torch.tensor([0.5, 0.6, 0.7]).view(3, 1, 1)
    assert torch.allclose(network(images), bare(by_hand), atol=1e-5)


def test_the_pair_of_an_attribute_has_the_sigmoid_as_softmax():
    network = SmallResNet(SHAPE, ("Smiling", "Male")).eval()
    images = torch.rand(3, *SHAPE)
    head = AttributeClassifier(network, 1)
    assert head.classes == ("not Male", "Male")
    assert torch.allclose(head(images).softmax(1)[:, 1], network(images)[:, 1].sigmoid(), atol=1e-6)


def test_the_first_layer_of_airbench_whitens_the_patches():
    """Its first twelve answers to the pictures it was made from are uncorrelated, each of about variance 1."""
    images = chance.draw_uniform((32, *SHAPE), chance.make_generator(0))
    smooth = nn.functional.avg_pool2d(images, 3, 1, 1)
    network = Airbench(SHAPE, "ab")
    network.initialise_whitening(smooth)
    answers = network.whiten((smooth - network.mean) / network.std)[:, :12].transpose(0, 1).flatten(1)
    assert torch.allclose(answers.cov(), torch.eye(12), atol=0.1)
    assert torch.equal(network.whiten.weight[:12], -network.whiten.weight[12:])


class Mean(nn.Module):
    def forward(self, x):
        return x.mean((2, 3))


def test_a_brought_classifier_sees_its_own_size_normalised():
    wrapped = NormalisedClassifier(Mean(), (3, 8, 8), "rgb", (0.5, 0.5, 0.5), (0.25, 0.25, 0.25))
    assert torch.allclose(wrapped(torch.full((1, 3, 32, 32), 0.75)), torch.ones(1, 3), atol=1e-5)


@pytest.mark.parametrize("kind", [ResNet18, ResNet20, SmallResNet, Airbench])
def test_folded_in_fp32_it_is_the_same_map(kind):
    """Also after its batch norms have moved, and nothing of it is left in the one that it was made from."""
    network = move_statistics(kind(SHAPE, ("cat", "dog", "hen")))
    images = chance.draw_uniform((4, *SHAPE), chance.make_generator(0))
    fast = FoldedClassifier(network, torch.float32)
    assert fast.classes == network.classes
    assert torch.allclose(fast(images), network(images), atol=1e-4)
    assert all(parameter.requires_grad for parameter in network.parameters())


def test_every_batch_norm_of_a_resnet_is_folded():
    fast = FoldedClassifier(ResNet18(SHAPE, "ab", width=4), torch.float32)
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in fast.modules())


def test_folding_follows_new_weights():
    network, images = (
        move_statistics(SmallResNet(SHAPE, "ab")),
        chance.draw_uniform((4, *SHAPE), chance.make_generator(0)),
    )
    before = FoldedClassifier(network, torch.float32)(images)
    move_statistics(network, seed=2)
    assert not torch.allclose(network(images), before, atol=1e-3)
    assert torch.allclose(network(images), FoldedClassifier(network, torch.float32)(images), atol=1e-4)


def move_statistics(network, seed=1):
    """Statistics and weights as training leaves them, not as they begin."""
    torch.manual_seed(seed)
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.running_mean.normal_(0, 0.1)
            layer.running_var.uniform_(0.5, 2)
            layer.weight.data.uniform_(0.5, 1.5)
            layer.bias.data.normal_(0, 0.1)
    return network.requires_grad_(True).eval()


@pytest.mark.parametrize("name", ["cifar10-resnet", "cifar10-airbench", "digits-resnet", "faces-resnet18:Smiling"])
def test_the_shipped_classifiers_gradients_point_the_same_way(name):
    """In bf16, against fp32, of the loss with respect to test images; prints what the page's documents state."""
    store = Store(device="cpu")
    exact, fast, images = store.load(name), store.load_fast(name), pictures(store.card(name).data)
    logits = [network(images) for network in (exact, fast)]
    labels = logits[0].argmax(1)
    slopes = [slope(network, images, labels).flatten(1) for network in (exact, fast)]
    cosines = cosine_similarity(*slopes)
    print(
        f"{name}: gradient cosine {cosines.median():.4f}, at least {cosines.min():.4f}, "
        f"equal signs {(slopes[0].sign() == slopes[1].sign()).float().mean():.1%}, "
        f"logits off by {(logits[0] - logits[1]).abs().max():.3f} at most"
    )
    assert cosines.median() > 0.98
    assert cosines.min() > 0.9


def pictures(world):
    """Samples of the world's flow: they need no data."""
    flow = Store(device="cpu").load(f"{world}-glow")
    with torch.no_grad():
        return flow.decode(flow.sample(16, chance.make_generator(0)).map(lambda part: 0.7 * part)).clamp(0, 1)


def slope(network, images, labels):
    images = images.clone().requires_grad_()
    return torch.autograd.grad(cross_entropy(network(images), labels, reduction="sum"), images)[0]


def test_a_judge_that_mirrors_answers_with_the_mean_of_both_but_learns_from_one():
    plain, images = ResNet20(SHAPE, "0123456789").eval(), torch.rand(4, *SHAPE)
    both = ResNet20(SHAPE, "0123456789", mirrors=True).eval()
    both.load_state_dict(plain.state_dict())
    assert torch.allclose(both(images), (plain(images) + plain(images.flip(3))) / 2, atol=1e-6)
    assert torch.allclose(both(images), both(images.flip(3)), atol=1e-6)
    assert torch.equal(both.train()(images), plain.train()(images))

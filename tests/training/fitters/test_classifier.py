"""What is peculiar to fits of classifiers."""

from dataclasses import replace

import torch

from latentlab import chance, datasets
from latentlab.datasets import Split
from latentlab.models import SmallResNet
from latentlab.training.fitters.classifier import apply_mixup, compute_label_loss, recompute_batch_norms


def test_statistics_are_those_of_the_weights_that_are_shipped():
    world = datasets.load_world("digits")
    world = replace(world, train=Split(world.train.images[:400], world.train.labels[:400]))
    torch.manual_seed(0)
    network = SmallResNet(world.image_shape, world.classes, widths=(8, 8, 8)).eval()
    (conv, norm), images = network.stages[0], world.train.take_batch(range(400))[0]
    norm.running_mean.fill_(9.0)  # as if met with other weights
    recompute_batch_norms(network, world)
    with torch.no_grad():
        seen = conv((images - network.mean) / network.std)
    torch.testing.assert_close(norm.running_mean, seen.mean((0, 2, 3)), atol=1e-4, rtol=1e-3)
    assert norm.momentum == 0.1
    assert not network.training


def test_images_and_labels_are_mixed_by_the_same_share():
    images = torch.arange(4.0).view(4, 1, 1, 1).expand(4, 3, 2, 2)
    labels = torch.arange(4)[:, None].expand(4, 5)
    both, soft = apply_mixup(images, labels, chance.make_generator(3))
    torch.testing.assert_close(both[:, 0, 0, 0], soft[:, 0])
    share = float(both[1, 0, 0, 0])  # of itself, 1, beside 0
    assert 0 < share < 1
    assert both[:, 0, 0, 0].tolist() == torch.tensor([3 - 3 * share, share, 1 + share, 2 + share]).tolist()


def test_a_mixed_loss_is_the_mixture_of_losses():
    logits, rng = torch.tensor([[0.3, -1.0], [2.0, 0.5]]), chance.make_generator(0)
    labels = torch.tensor([[1, 0], [0, 1]])
    _, soft = apply_mixup(torch.zeros(2, 3, 2, 2), labels, rng)
    share = soft[0, 0]
    parts = share * compute_label_loss(logits, labels) + (1 - share) * compute_label_loss(logits, labels.roll(1, 0))
    torch.testing.assert_close(compute_label_loss(logits, soft), parts)

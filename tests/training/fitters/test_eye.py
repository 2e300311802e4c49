"""The eye sees what its classifier sees, at every resolution, and does not learn."""

from pathlib import Path

import torch

from latentlab import chance, datasets, models
from latentlab.models import ResNet18, SmallResNet
from latentlab.training.fitters.eye import load_eye

FILE = Path("checkpoints/digits-resnet.safetensors")


def test_the_eye_is_its_classifier_frozen():
    world = datasets.load_world("digits")
    images, (_, classifier) = world.test.take_batch(range(4))[0], models.load_network(FILE)
    eye = load_eye(FILE, world, "cpu")
    assert torch.allclose(eye(images), classifier(images), atol=1e-3)
    assert not any(p.requires_grad for p in eye.parameters())


def test_maps_of_a_small_resnet_are_those_of_its_three_widths():
    network = SmallResNet((3, 32, 32), tuple("0123456789"), widths=(8, 16, 24)).eval()
    maps = network.extract_maps(chance.draw_uniform((4, 3, 32, 32), chance.make_generator(0)))
    assert [tuple(m.shape[1:]) for m in maps] == [(8, 16, 16), (16, 8, 8), (24, 4, 4)]


def test_maps_of_a_resnet18_are_those_of_its_four_widths():
    network = ResNet18((3, 32, 32), tuple("0123456789"), width=8).eval()
    images = chance.draw_uniform((2, 3, 32, 32), chance.make_generator(0))
    maps = network.extract_maps(images)
    assert [tuple(m.shape[1:]) for m in maps] == [(8, 32, 32), (16, 16, 16), (32, 8, 8), (64, 4, 4)]
    assert torch.equal(network.extract_features(images), maps[-1].mean((2, 3)))

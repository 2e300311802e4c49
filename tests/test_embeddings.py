"""Images as points: latents, features, and the heads that have neither at hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from latentlab import embeddings
from latentlab.errors import UserError
from latentlab.models import AttributeClassifier, NormalisedClassifier
from latentlab.store import Store

SHAPE = (3, 32, 32)


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    return torch.rand(7, *SHAPE, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def store(small_world: Any) -> Store:
    return Store(small_world, "cpu")


@pytest.mark.parametrize("kind", ["glow", "vae", "stylegan2", "pixels"])
def test_a_latent_model_gives_its_latents_whatever_the_batch(store: Store, images: torch.Tensor, kind: str):
    model = store.load(f"digits-{kind}")
    whole = embeddings.embed_images(model, images, batch=3)
    assert torch.allclose(whole, embeddings.flatten_latents(model.encode(images)), atol=1e-4)
    assert whole.dtype == torch.float32
    assert not whole.requires_grad


def test_a_classifier_gives_what_its_last_layer_reads(store: Store, images: torch.Tensor):
    network = store.load("digits-resnet")
    features = embeddings.embed_images(network, images)
    assert torch.allclose(network.head(features), network(images), atol=1e-5)


def test_an_attribute_head_gives_the_features_of_its_network(store: Store, images: torch.Tensor):
    network = store.load("digits-resnet")
    assert torch.equal(
        embeddings.embed_images(AttributeClassifier(network, 2), images), embeddings.embed_images(network, images)
    )


def test_a_network_that_was_brought_gives_the_input_of_its_last_layer_and_is_not_touched(images: torch.Tensor):
    body = nn.Sequential(nn.Flatten(), nn.Linear(3072, 5), nn.ReLU(), nn.Linear(5, 4))
    brought = NormalisedClassifier(body, SHAPE, tuple("abcd"), (0.0,) * 3, (1.0,) * 3).eval()
    points = embeddings.embed_images(brought, images)
    assert points.shape == (7, 5)
    assert torch.allclose(body[3](points), brought(images), atol=1e-6)


def test_a_network_that_is_its_head_gives_its_pixels(images: torch.Tensor):
    class Straight(nn.Linear):
        def forward(self, input: torch.Tensor) -> torch.Tensor:
            return super().forward(input.flatten(1))

    brought = NormalisedClassifier(Straight(3072, 2), SHAPE, ("a", "b"), (0.0,) * 3, (1.0,) * 3).eval()
    assert torch.allclose(embeddings.embed_images(brought, images), images.flatten(1))


def test_a_network_without_a_linear_head_is_refused_in_words(images: torch.Tensor):
    body = nn.Sequential(nn.Conv2d(3, 2, 32), nn.Flatten())
    with pytest.raises(UserError, match="linear layer"):
        embeddings.embed_images(NormalisedClassifier(body, SHAPE, ("a", "b"), (0.0,) * 3, (1.0,) * 3), images)


def test_what_is_neither_model_nor_classifier_is_refused(images: torch.Tensor):
    with pytest.raises(UserError, match="neither latents nor features"):
        embeddings.embed_images(nn.Identity(), images)

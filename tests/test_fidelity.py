"""What survives: by hand, of models that keep everything and nothing."""

from pathlib import Path

import pytest
import torch
from torch import nn

from latentlab import chance, datasets, models
from latentlab.fidelity import (
    measure_bend,
    measure_confidence,
    measure_moments,
    measure_pca,
    measure_survival,
)
from latentlab.models import Pixels
from latentlab.types import Latents


class Brightness(nn.Module):
    """Two classes, or two attributes: red at least half, green at least half."""

    def __init__(self) -> None:
        super().__init__()
        self.slope = nn.Parameter(torch.tensor(100.0))

    def forward(self, images):
        return self.slope * (images.mean((2, 3))[:, :2] - 0.5)


@pytest.fixture(scope="module")
def digits():
    return datasets.load_world("digits")


@pytest.fixture(scope="module")
def judge():
    return models.load_network(Path(__file__).parents[1] / "checkpoints/digits-resnet.safetensors")[1]


def test_what_is_left_alone_is_kept_and_what_is_wiped_out_is_not(digits, judge):
    whole = measure_survival(lambda images: images, judge, digits)
    assert whole["kept"] == 1
    assert 0.98 < whole["kept, at least"] < 1 == pytest.approx(whole["kept, at most"])
    wiped = measure_survival(lambda images: images.roll(1, 0), judge, digits)
    assert wiped["kept"] < whole["kept, at least"]


def test_agreement_of_attributes_is_balanced(monkeypatch):
    """Nine of ten pictures are red; a model that makes every picture red agrees in nine of ten, balanced in half."""
    rng = chance.make_generator(0)
    images = (255 * chance.draw_uniform((200, 3, 1, 1), rng)).byte()
    images[:, 0] = 255
    images[::10, 0] = 0
    half = datasets.Split(images, torch.zeros(200, 2).long())
    world = datasets.Dataset("colours", half, half, ("red", "green"), True, "")

    def redden(pictures):
        red = pictures.clone()
        red[:, 0] = 1
        return red

    found = measure_survival(redden, Brightness(), world)
    assert found["attributes judged"] == 2
    assert found["kept"] == pytest.approx((0.5 + 1) / 2)


def test_pca_of_few_numbers_keeps_less_than_of_many(digits, judge):
    few, many = (measure_pca(size, judge, digits) for size in (4, 64))
    assert few["PSNR of PCA"] < many["PSNR of PCA"]
    assert measure_pca(3 * 32 * 32, judge, digits) == {}, "then nothing is left out"


class Scaled:
    """Pixels, but some coordinates are twice as wide as they should be."""

    image_shape = (3, 32, 32)

    def encode(self, images):
        rng = chance.make_generator(int(images.sum()))
        code = chance.draw_normal((len(images), 8), rng)
        return Latents({"low": code[:, :4], "high": 2 * code[:, 4:]})

    def decode(self, latents):
        return latents.flat.sum(1).sigmoid().view(-1, 1, 1, 1).expand(-1, 3, 32, 32)

    def sample(self, count, rng):
        return Latents({"low": chance.draw_normal((count, 4), rng), "high": chance.draw_normal((count, 4), rng)})


def test_moments_of_each_part(digits):
    found = measure_moments(Scaled(), digits)
    assert found["deviations within 0.8–1.2"] == 0.5
    assert (found["deviation of low"], found["deviation of high"]) == pytest.approx((1, 2), rel=0.1)
    assert found["mean of low"] < 0.15
    assert found["covariance, 5 % of eigenvalues below"] < 1 < 3 < found["covariance, 5 % of eigenvalues above"]


def test_a_straight_line_in_pixels_does_not_measure_bend(digits):
    pixels = measure_bend(Pixels(digits.image_shape), digits)
    assert pixels["bend"] == pytest.approx(0, abs=1e-4)
    assert pixels["distance of pairs"] > 1
    assert measure_bend(Scaled(), digits)["bend"] > 0.1


def test_confidence_is_between_chance_and_certainty(digits, judge):
    found = measure_confidence(Scaled(), judge, digits)
    assert 0.1 <= found["confidence of samples"] <= 1
    assert 0.1 <= found["confidence of images"] <= 1

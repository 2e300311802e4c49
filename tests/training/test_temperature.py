"""Temperatures: found again where they are known; fitted on what the fit has not seen."""

import pytest
import torch

from latentlab import chance, datasets, models
from latentlab.training.fit import fit
from latentlab.training.temperature import CalibratedFitter, find_temperature, measure_calibration_error


def drawn(temperature: float, count: int = 20_000) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits, and labels that follow them at this temperature."""
    logits = 3 * chance.draw_normal((count, 4), chance.make_generator(0))
    labels = torch.multinomial((logits / temperature).softmax(1), 1, generator=chance.make_generator(1)).flatten()
    return logits, labels


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_the_temperature_at_which_labels_were_drawn_is_found(temperature):
    logits, labels = drawn(temperature)
    assert find_temperature(logits, labels) == pytest.approx(temperature, rel=0.03)
    assert measure_calibration_error(logits / temperature, labels) < 0.015


def test_of_attributes_too():
    logits = 3 * chance.draw_normal((20_000, 2), chance.make_generator(0))
    labels = (chance.draw_uniform(logits.shape, chance.make_generator(1)) < torch.sigmoid(logits / 2)).long()
    assert find_temperature(logits, labels) == pytest.approx(2, rel=0.05)
    assert measure_calibration_error(logits / 2, labels) < 0.01 < measure_calibration_error(logits, labels)


def test_calibration_error_by_hand():
    """Two images in one bin, confidence 0.9 each, one of them right."""
    logits = torch.tensor([[0.9, 0.1], [0.9, 0.1]]).log()
    assert measure_calibration_error(logits, torch.tensor([0, 1])) == pytest.approx(0.4, abs=1e-6)


def test_of_every_colouring_the_same_pictures_are_held_out():
    world, keeper = datasets.load_world("digits"), CalibratedFitter()
    learned = keeper.hold_out(world)
    assert keeper.held_out is not None
    assert len(learned.train) + len(keeper.held_out) == len(world.train)
    each = len(keeper.held_out) // world.copies
    labels = keeper.held_out.labels.view(world.copies, each)
    assert (labels == labels[0]).all()
    assert learned.copies == world.copies
    assert len(learned.train) % world.copies == 0


def test_a_fitted_classifier_keeps_its_temperature(tmp_path):
    card = fit("resnet", "digits", tmp_path / "net.safetensors", steps=20, batch=64)
    network = models.load_network(tmp_path / "net.safetensors")[1]
    assert network.temperature == card.arguments["temperature"] != 1.0
    further = fit("resnet", "digits", tmp_path / "x.safetensors", steps=1, batch=8, parent=tmp_path / "net.safetensors")
    assert further.arguments.keys() == card.arguments.keys()


def test_a_temperature_divides_the_logits():
    images = torch.rand(2, 3, 32, 32)
    torch.manual_seed(0)
    network = models.SmallResNet((3, 32, 32), "ab", widths=(4, 4, 4)).eval()
    before = network(images)
    network.temperature = 0.5
    assert torch.allclose(network(images), 2 * before)

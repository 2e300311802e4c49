"""What an update sees and what it leaves alone."""

import copy
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch.nn.functional import cross_entropy, log_softmax

from latentlab import chance, models
from latentlab.datasets import Dataset, Split
from latentlab.models import Card
from latentlab.operators import METHODS
from latentlab.store import Store
from latentlab.training.augmented import make_update_batch
from latentlab.training.augmented.learner import Learner, adapts_to_classifier
from latentlab.training.augmented.run_state import RunFiles, TrainingProgress, TrainingRun
from latentlab.training.augmented.task import _make_child, prepare_task
from latentlab.training.update_loop import iterate_updates

ADAPTIVE = {"adversarial-la", "advmix", "pixel-pgd"}


@pytest.fixture
def learner(store, config):
    def make(**knobs):
        asked_for = config(**knobs)
        return Learner(asked_for, prepare_task(asked_for, store))

    return make


def images_of(learner, count=6):
    return learner.task.world.train.take_batch(learner.task.learned[:count])


@pytest.mark.parametrize("method", sorted(METHODS))
def test_every_method_moves_images_and_leaves_the_classifier_as_it_was(method, learner):
    """Batch-norm statistics, weights, gradients and mode: an attack on the network in training leaves no trace."""
    one = learner(augmentations=[{"method": method}])
    one.network.train()
    before = copy.deepcopy(one.network.state_dict())
    images, labels = images_of(one)
    batch = one.move_images(images, labels, one.network, chance.make_generator(0))
    after = one.network.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert all(p.grad is None for p in one.network.parameters())
    assert all(layer.training for layer in one.network.modules())
    assert batch.images.shape == images.shape
    assert torch.allclose(batch.targets.sum(1), torch.ones(len(images)))
    assert adapts_to_classifier(METHODS[method].operator) == (method in ADAPTIVE)


def test_an_attack_follows_the_network_that_learns(learner):
    """The same draw of chance, other weights: other images. A random move does not care."""
    for method, changes in (("pixel-pgd", True), ("mixup", False)):
        one = learner(augmentations=[{"method": method}])
        images, labels = images_of(one)
        first = one.move_images(images, labels, one.network, chance.make_generator(0)).images
        with torch.no_grad():
            one.network.head.weight.mul_(-1)
        again = one.move_images(images, labels, one.network, chance.make_generator(0)).images
        assert torch.equal(first, again) != changes


def test_the_clean_share_is_left_alone(learner):
    one = learner(augmentations=[{"method": "noise", "settings": {"epsilon": 30}}], clean=0.5, standard=False)
    images, labels = images_of(one, 8)
    moved = one.move_images(images, labels, one.network, chance.make_generator(0)).images
    same = (moved == images).flatten(1).all(1)
    assert same.tolist() == [True] * 4 + [False] * 4


def test_probability_is_the_share_of_images_that_move(learner):
    one = learner(augmentations=[{"method": "brightness", "probability": 0.3}], standard=False)
    images, labels = images_of(one, 200)
    moved = one.move_images(images, labels, one.network, chance.make_generator(0)).images
    assert (moved != images).flatten(1).any(1).sum().item() == pytest.approx(60, abs=20)  # 3 deviations of a binomial


def test_a_loss_by_hand(learner):
    """Mixed and smoothed labels: −Σ ((1 − s) y + s/K) log p, mean over images; SGD takes one step of the rate."""
    one = learner(smoothing=0.2, optimiser="sgd", rate=0.5, decay=0.0, schedule="constant", standard=False, bf16=False)
    images, labels = images_of(one)
    twin = copy.deepcopy(one.network).train()
    targets = 0.8 * torch.eye(10)[labels] + 0.02
    loss = -(targets * log_softmax(twin(images), 1)).sum(1).mean()
    values = one.step(images, labels, chance.make_generator(0), 0.0)
    assert values["loss"] == pytest.approx(loss.item(), rel=1e-5)
    loss.backward()
    assert torch.allclose(one.network.head.bias, twin.head.bias - 0.5 * 1.9 * twin.head.bias.grad, atol=1e-6)


@pytest.mark.parametrize("method", ["randomized-la", "k-mixup", "adversarial-la"])
def test_the_batch_shown_before_is_the_batch_trained_on(method, config, store, trained, tmp_path):
    """The first update exactly, attacks included; a later one too, where no attack looks at the weights."""
    asked_for = config(augmentations=[{"method": method}], steps=1 if method == "adversarial-la" else 3)
    step = asked_for.steps
    shown = make_update_batch(asked_for, store, step)
    (sample, *_) = [event for event in trained(replace(asked_for, steps=step), "run") if event["event"] == "sample"]
    if step == 1:
        compare_sample(shown, sample, tmp_path / "run")
    learner = last_learner(asked_for, store)
    assert torch.equal(learner.seen.images, shown.batch.images)
    assert torch.equal(learner.seen.targets, shown.batch.targets)
    assert shown.exact
    assert torch.equal(shown.originals, learner.task.world.train.take_batch(shown.rows)[0])


def compare_sample(shown, sample, folder):
    tensors = load_file(folder / "batch.safetensors")
    assert sample["rows"] == shown.rows.tolist()
    assert torch.equal(tensors["images"], (shown.batch.images * 255).round().byte())
    assert torch.equal(tensors["targets"], shown.batch.targets)


def last_learner(asked_for, store):
    """Trained to the end by the very loop, and looked at afterwards."""
    run = TrainingRun(
        asked_for, prepare_task(asked_for, store), RunFiles(Path("unused"), Path("unused")), "cpu", (0, 1)
    )
    for _ in iterate_updates(
        run.learner, run.average_network, run.batch_order, TrainingProgress(), run.compute_spent_share
    ):
        pass
    return run.learner


def test_a_batch_that_depends_on_unknown_weights_says_so(config, store):
    asked_for = config(augmentations=[{"method": "pixel-pgd"}])
    assert make_update_batch(asked_for, store, 1).exact
    assert not make_update_batch(asked_for, store, 2).exact
    assert make_update_batch(asked_for, store, 2, store.load("digits-resnet")).exact


def test_a_child_begins_as_its_parent(config, store):
    task = prepare_task(config(parent="digits-resnet"), store)
    images = task.world.test.take_batch(slice(0, 4))[0]
    assert torch.equal(task.network.eval()(images), store.load("digits-resnet")(images))
    assert task.network is not store.load("digits-resnet")
    assert task.parent == f"digits-resnet {store.digest('digits-resnet')}"
    assert not any(p.requires_grad for p in store.load("digits-resnet").parameters())


def test_an_attribute_of_a_parent_becomes_two_logits(tmp_path):
    """softmax(−l/2, l/2) is the sigmoid of l: the child says of the attribute what the parent said."""
    classes, shape = ("Bald", "Smiling"), (3, 16, 16)
    arguments = {"image_shape": shape, "classes": classes, "widths": (8, 8)}
    card = Card("resnet", arguments, shape, "faces", classes, multilabel=True)
    models.save_network(tmp_path / "faces-resnet.safetensors", models.SmallResNet(**arguments), card)
    half = Split(torch.zeros(2, *shape).byte(), torch.tensor([[0, 1], [1, 0]]))
    world = Dataset("faces", half, half, classes, True, "").select_attribute("Smiling")
    store = Store(tmp_path, "cpu")
    kind, made_of, child = _make_child("faces-resnet", world, store)
    images = torch.rand(3, *shape, generator=chance.make_generator(0))
    expected = store.load("faces-resnet")(images)[:, 1].sigmoid()
    assert torch.allclose(child.eval()(images).softmax(1)[:, 1], expected, atol=1e-6)
    assert (kind, made_of["classes"]) == ("resnet", ("not Smiling", "Smiling"))


def test_the_average_follows_the_weights(config, store, trained, tmp_path):
    """Decay 0 ships the last weights; with one, a mean of all: both by the loop's own states."""
    asked_for = config(average=0.0)
    trained(asked_for, "plain")
    learner = last_learner(asked_for, store)
    shipped = load_file(tmp_path / "plain" / "run.safetensors")
    assert all(torch.equal(shipped[name], tensor) for name, tensor in learner.network.state_dict().items())


def test_cross_entropy_of_hard_labels_is_the_usual_one(learner):
    one = learner(standard=False, bf16=False)
    images, labels = images_of(one)
    twin = copy.deepcopy(one.network).train()
    expected = cross_entropy(twin(images), labels).item()
    assert one.step(images, labels, chance.make_generator(0), 0.5)["loss"] == pytest.approx(expected, rel=1e-5)

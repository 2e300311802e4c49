"""Augment in a training loop of one's own."""

from __future__ import annotations

import copy
import json
import pickle
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, default_collate

from latentlab.augment import Augment
from latentlab.errors import UserError
from latentlab.models import Card, Glow, SmallResNet, save_network
from latentlab.recipe import parse_recipe
from latentlab.store import Store

CLASSES = ("circle", "square", "star")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkpoints")
    shape = (3, 16, 16)
    arguments = {"image_shape": shape, "levels": 2, "steps": 1, "hidden": 8}
    save_network(folder / "toy-glow.safetensors", Glow(**arguments), Card("glow", arguments, shape, "toy", CLASSES))
    arguments = {"image_shape": shape, "classes": list(CLASSES), "widths": [8, 8]}
    save_network(
        folder / "toy-resnet.safetensors", SmallResNet(**arguments), Card("resnet", arguments, shape, "toy", CLASSES)
    )
    return Store(folder, device="cpu")


def recipe(operator: str, model: str = "toy-glow", **settings) -> dict:
    return {
        "version": 1,
        "model": model,
        "classifier": "toy-resnet",
        "operator": operator,
        "settings": settings,
        "seed": 3,
    }


@pytest.fixture(scope="module")
def loader() -> DataLoader:
    rng = torch.Generator().manual_seed(0)
    return DataLoader(TensorDataset(torch.rand(10, 3, 16, 16, generator=rng), torch.arange(10) % 3), batch_size=4)


@pytest.mark.parametrize(
    "operator", ["noise", "adversary", "mix", "swap", "adversarial-la", "cutmix", "standard", "fog"]
)
@pytest.mark.parametrize("model", ["toy-glow", "toy-pixels"])
def test_the_same_loop_gives_the_same_bits(operator, model, store, loader):
    settings = {"parts": ["fine"]} if operator == "swap" else {}
    runs = []
    for _ in range(2):
        augment = Augment(recipe(operator, model, **settings), store)
        try:
            runs.append([augment(images, labels) for images, labels in loader])
        except UserError:
            assert (operator, model) == ("swap", "toy-pixels")
            return
    for (images, targets), (again, same) in zip(*runs, strict=True):
        assert images.shape[1:] == (3, 16, 16)
        assert targets.shape == (len(images), 3)
        assert torch.equal(images, again)
        assert torch.equal(targets, same)


def test_chance_goes_on_from_batch_to_batch(store):
    augment = Augment(recipe("noise", epsilon=5), store)
    images, labels = torch.rand(2, 3, 16, 16), torch.tensor([0, 1])
    assert not torch.equal(augment(images, labels)[0], augment(images, labels)[0])


def test_reads_a_file_a_dict_and_a_recipe(store, tmp_path):
    (tmp_path / "recipe.json").write_text(json.dumps(recipe("mix", lam=0.25)))
    sources = (tmp_path / "recipe.json", str(tmp_path / "recipe.json"), recipe("mix", lam=0.25))
    augments = [Augment(source, store) for source in (*sources, parse_recipe(json.dumps(recipe("mix", lam=0.25))))]
    images, labels = torch.rand(4, 3, 16, 16), torch.arange(4) % 3
    results = [augment(images, labels) for augment in augments]
    assert all(torch.equal(results[0][0], other) for other, _ in results[1:])


def test_soft_labels_stay_soft(store):
    soft = torch.tensor([[0.5, 0.5, 0.0], [0.0, 0.1, 0.9]])
    _, targets = Augment(recipe("noise"), store)(torch.rand(2, 3, 16, 16), soft)
    assert torch.equal(targets, soft)


def test_the_network_in_training_can_be_attacked(store):
    net = nn.Sequential(nn.Flatten(), nn.Linear(768, 7))
    augment = Augment(recipe("adversary", label="true"), store, classifier=net, classes=7)
    images, targets = augment(torch.rand(2, 3, 16, 16), torch.tensor([6, 0]))
    assert targets.shape == (2, 7)
    nn.functional.cross_entropy(net(images), targets).backward()
    assert net.training


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (torch.zeros(1, 3, 16, 16, dtype=torch.uint8), torch.tensor([0]), "divide them by 255"),
        (torch.full((1, 3, 16, 16), -2.0), torch.tensor([0]), "before normalising"),
        (torch.full((1, 3, 16, 16), torch.nan), torch.tensor([0]), "before normalising"),
        (torch.zeros(1, 3, 16, 16), torch.tensor([3]), "classes are 0 to 2"),
        (torch.zeros(1, 3, 8, 8), torch.tensor([0]), "takes 3×16×16"),
    ],
)
def test_refusals(images, labels, message, store):
    with pytest.raises(UserError, match=message):
        Augment(recipe("noise"), store)(images, labels)


def test_a_recipe_that_is_not_there(store, tmp_path: Path):
    with pytest.raises(UserError, match="cannot be read"):
        Augment(tmp_path / "none.json", store)
    with pytest.raises(UserError, match="no network"):
        Augment(recipe("noise", model="moon-glow"), store)


@pytest.fixture
def augment(store) -> Augment:
    return Augment(recipe("noise", epsilon=2), store)


PICTURES, NUMBERS = torch.full((3, 3, 16, 16), 0.5), torch.tensor([0, 2, 1])


@pytest.mark.parametrize(
    "labels",
    [NUMBERS, NUMBERS[:, None], NUMBERS.int(), torch.eye(3)[NUMBERS], torch.eye(3, dtype=torch.int64)[NUMBERS].bool()],
    ids=["numbers", "column", "int32", "one-hot", "bool"],
)
def test_labels_in_every_usual_form_are_the_same_targets(labels, augment):
    assert torch.equal(augment(PICTURES, labels)[1], torch.eye(3)[NUMBERS])


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        (NUMBERS[:2], "for 3 images"),
        (torch.tensor(1), "for 3 images"),
        (NUMBERS[:, None, None], "for 3 images"),
        (NUMBERS.float(), "labels.long"),
        (NUMBERS[:, None].float(), "labels.long"),
        (torch.full((3, 4), 0.25), "4 columns"),
        (torch.tensor([[2, 0, 1]] * 3), "not counts"),
        (torch.tensor([[1.5, -0.5, 0.0]] * 3), "negative"),
        (torch.full((3, 3), torch.nan), "NaN"),
        (torch.tensor([0, 3, 1]), "0 to 2"),
    ],
)
def test_labels_that_cannot_be_right_are_refused_in_one_line(labels, says, augment):
    with pytest.raises(UserError, match=says) as caught:
        augment(PICTURES, labels)
    assert "\n" not in str(caught.value)


def test_rounding_is_clamped_and_more_is_refused(augment):
    for shift in (1.2e-7, -3e-8, 5e-4, -9e-4):
        moved, _ = augment(torch.cat([torch.zeros(1, 3, 16, 16), torch.ones(1, 3, 16, 16)]) + shift, NUMBERS[:2])
        assert 0 <= moved.min() <= moved.max() <= 1
    with pytest.raises(UserError, match="clamp"):
        augment(PICTURES + 0.502, NUMBERS)
    with pytest.raises(UserError, match="images\\[None\\]"):
        augment(PICTURES[0], NUMBERS[:1])


def test_no_images_pass(augment):
    images, targets = augment(PICTURES[:0], NUMBERS[:0])
    assert (images.shape, targets.shape) == ((0, 3, 16, 16), (0, 3))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_other_float_types_come_back_as_they_were(dtype, store):
    plain, _ = Augment(recipe("noise"), store)(PICTURES, NUMBERS)
    moved, targets = Augment(recipe("noise"), store)(PICTURES.to(dtype), NUMBERS)
    assert (moved.dtype, targets.dtype) == (dtype, torch.float32)
    torch.testing.assert_close(moved.float(), plain, atol=0.01, rtol=0.01)


def test_channels_last_changes_nothing(store):
    torch.manual_seed(0)
    images = torch.rand(4, 3, 16, 16)
    labels = torch.arange(4) % 3
    plain, _ = Augment(recipe("adversary"), store)(images, labels)
    other, _ = Augment(recipe("adversary"), store)(images.contiguous(memory_format=torch.channels_last), labels)
    torch.testing.assert_close(other, plain, atol=1e-4, rtol=0)


@pytest.mark.parametrize("model", ["toy-glow", "toy-pixels"])
@pytest.mark.parametrize("operator", ["noise", "adversary", "mix"])
def test_inference_mode_gives_the_same_bits(operator, model, store):
    plain = Augment(recipe(operator, model), store)(PICTURES, NUMBERS)[0]
    with torch.inference_mode():
        inside = PICTURES.clone(), NUMBERS.clone()
        lazy = Store(store.folder, "cpu")
        assert torch.equal(Augment(recipe(operator, model), lazy)(*inside)[0], plain)
    assert torch.equal(Augment(recipe(operator, model), lazy)(*inside)[0], plain)


@pytest.mark.parametrize("default", ["torch.set_default_dtype(torch.float64)", "torch.set_default_device('meta')"])
def test_what_the_program_has_set_for_torch_changes_nothing(default, store):
    """In a process of its own: both settings are global."""
    code = f"""
import torch
{default}
from latentlab import Augment, Store
images = torch.full((3, 3, 16, 16), 0.5, dtype=torch.float32, device="cpu")
labels = torch.tensor([0, 2, 1], device="cpu")
for operator in ("noise", "adversary", "mix"):
    recipe = {recipe("noise")!r} | {{"operator": operator}}
    print(Augment(recipe, Store({str(store.folder)!r}, "cpu"))(images, labels)[0].double().sum().item())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    moved = [
        Augment(recipe(operator), store)(PICTURES, NUMBERS)[0].double().sum().item()
        for operator in ("noise", "adversary", "mix")
    ]
    assert [float(line) for line in done.stdout.split()] == moved


class Collating:
    """Makes the batch and moves it, in a worker."""

    def __init__(self, augment: Augment) -> None:
        self.augment = augment

    def __call__(self, batch):
        torch.set_num_threads(1)
        images, labels = default_collate(batch)
        return self.augment(images, labels)[0].numpy()  # a tensor would be shared between processes


@pytest.mark.slow
@pytest.mark.parametrize(("context", "persistent"), [("fork", False), ("fork", True), ("spawn", False)])
def test_workers_and_epochs_draw_differently_and_the_same_seed_repeats_them(context, persistent, store):
    data = TensorDataset(torch.full((8, 3, 16, 16), 0.5), torch.zeros(8, dtype=torch.int64))

    def draw_epochs() -> list[torch.Tensor]:
        loader = DataLoader(
            data,
            2,
            num_workers=2,
            collate_fn=Collating(Augment(recipe("noise", epsilon=2), store)),
            multiprocessing_context=context,
            persistent_workers=persistent,
            generator=torch.Generator().manual_seed(5),
        )
        return [torch.from_numpy(batch) for _ in range(2) for batch in loader]

    draws, again = draw_epochs(), draw_epochs()
    assert len(draws) == 8
    assert not any(torch.equal(draws[i], draws[j]) for i in range(8) for j in range(i))
    assert all(torch.equal(one, other) for one, other in zip(draws, again, strict=True))


@pytest.mark.parametrize("take", [copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])
def test_a_copy_goes_on_where_the_original_is(take, store):
    augment = Augment(recipe("noise"), store)
    augment(PICTURES, NUMBERS)
    other = take(augment)
    assert torch.equal(augment(PICTURES, NUMBERS)[0], other(PICTURES, NUMBERS)[0])


def test_another_network_than_the_recipe_s_is_said(store):
    right = {"model_digest": store.digest("toy-glow"), "classifier_digest": store.digest("toy-resnet")}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Augment(recipe("adversary") | right, store)
    with pytest.warns(UserWarning, match="toy-resnet is not the network of the recipe"):
        Augment(recipe("adversary") | right | {"classifier_digest": "0" * 16}, store)

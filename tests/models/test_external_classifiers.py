"""Classifiers as people have them: every shape of answer, precision, wrapper, size and file, told apart and said."""

from __future__ import annotations

import subprocess
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from latentlab.errors import UserError
from latentlab.explainers import Saliency
from latentlab.models import Card, Glow, save_network
from latentlab.models.classifiers.architectures import build_architecture
from latentlab.models.classifiers.weights_file import WRAPPER_PREFIXES, find_prefix
from latentlab.operators import Adversary
from latentlab.store import Store
from latentlab.types import Batch

NAMES = ("no", "yes")
SIZES = {"small": (3, 8, 8), "wide": (3, 8, 16), "large": (3, 16, 16)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Worlds of three sizes, an untrained flow each."""
    place = tmp_path_factory.mktemp("checkpoints")
    for world, shape in SIZES.items():
        arguments = {"image_shape": shape, "levels": 1, "steps": 1, "hidden": 4}
        save_network(place / f"{world}-glow.safetensors", Glow(**arguments), Card("glow", arguments, shape, world))
    return place


@pytest.fixture
def store(folder: Path) -> Store:
    return Store(folder, "cpu")


@pytest.fixture
def pictures() -> Tensor:
    return torch.rand(4, 3, 8, 8, generator=torch.Generator().manual_seed(0))


def linear(outputs: int = 2, side: int = 8, channels: int = 3) -> nn.Sequential:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return nn.Sequential(nn.Flatten(), nn.Linear(channels * side * side, outputs))


def convolution(channels: int = 3, outputs: int = 2) -> nn.Sequential:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        features = (nn.Conv2d(channels, 4, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        return nn.Sequential(*features, nn.Linear(4, outputs))


@dataclass
class Answer:
    logits: Tensor


class Answering(nn.Module):
    """Answers what its function makes of two logits."""

    def __init__(self, make: Any) -> None:
        super().__init__()
        self.net, self.make = linear(), make

    def forward(self, images: Tensor) -> Any:
        return self.make(self.net(images))


def add(store: Store, network: nn.Module, *names: str, **more: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        store.add("mine", network, names or NAMES, **more)
    return store.load("mine")


FORMS: dict[str, Any] = {
    "tensor": lambda logits: logits,
    "object": Answer,
    "dictionary": lambda logits: {"features": logits.sum(), "logits": logits},
    "dictionary of one": lambda logits: {"out": logits},
    "tuple": lambda logits: (logits, logits.sum()),
    "list": lambda logits: [logits],
    "map of a pixel": lambda logits: logits[:, :, None, None],
    "log probabilities": lambda logits: logits.log_softmax(1),
    "probabilities": lambda logits: logits.softmax(1),
}


@pytest.mark.parametrize("form", FORMS)
def test_whatever_holds_the_logits_the_shares_are_the_same(form: str, store: Store, pictures: Tensor) -> None:
    network = add(store, Answering(FORMS[form]))
    torch.testing.assert_close(network(pictures).softmax(1), linear()(pictures).softmax(1))
    assert any("softmax" in note for note in store.notes("mine")) == (form == "probabilities")


def test_a_callable_reads_every_other_answer(store: Store, pictures: Tensor) -> None:
    strange = Answering(lambda logits: {"a": logits, "b": -logits})
    with pytest.raises(UserError, match="logits=lambda"):
        store.add("mine", strange, NAMES)
    torch.testing.assert_close(add(store, strange, logits=lambda answer: answer["b"])(pictures), -linear()(pictures))


class Column(nn.Module):
    """One output, as a column or as a single number."""

    def __init__(self, sigmoid: bool, column: bool) -> None:
        super().__init__()
        self.net, self.sigmoid, self.column = linear(1), sigmoid, column

    def forward(self, images: Tensor) -> Tensor:
        logit = self.net(images)
        logit = logit.sigmoid() if self.sigmoid else logit
        return logit if self.column else logit[:, 0]


@pytest.mark.parametrize("sigmoid", [True, False])
@pytest.mark.parametrize("column", [True, False])
def test_one_output_is_the_second_of_two_names(sigmoid: bool, column: bool, store: Store, pictures: Tensor) -> None:
    network = add(store, Column(sigmoid, column))
    torch.testing.assert_close(network(pictures).softmax(1)[:, 1], linear(1)(pictures)[:, 0].sigmoid())
    said = "; ".join(store.notes("mine"))
    assert "speaks for 'yes'" in said
    assert ("sigmoid" in said) == sigmoid


@pytest.mark.parametrize("sigmoid", [True, False])
def test_attributes_are_heads_of_two_classes(sigmoid: bool, store: Store, pictures: Tensor) -> None:
    network = nn.Sequential(linear(3), *([nn.Sigmoid()] if sigmoid else []))
    add(store, network, "hat", "beard", "smile", multilabel=True)
    assert store.list_classifiers("small") == ["mine:hat", "mine:beard", "mine:smile"]
    head = store.load("mine:beard")
    assert head.classes == ("not beard", "beard")
    torch.testing.assert_close(head(pictures).softmax(1)[:, 1], linear(3)(pictures)[:, 1].sigmoid())


def test_a_sigmoid_for_each_of_several_names_is_asked_about(store: Store) -> None:
    with pytest.raises(UserError, match="multilabel=True"):
        store.add("mine", nn.Sequential(linear(3), nn.Sigmoid()), "abc")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions_are_computed_in_float32_unless_asked(
    dtype: torch.dtype, store: Store, pictures: Tensor
) -> None:
    network = add(store, linear().to(dtype))
    assert network(pictures).dtype == torch.float32
    torch.testing.assert_close(network(pictures), linear()(pictures), atol=0.02, rtol=0.02)
    assert any("computed in float32" in note for note in store.notes("mine"))
    kept = Store(store.folder, "cpu")
    assert {p.dtype for p in add(kept, linear().to(dtype), dtype=dtype).parameters()} == {dtype}
    assert kept.load("mine")(pictures).dtype == torch.float32


WRAPPERS: dict[str, Any] = {
    "data parallel": nn.DataParallel,
    "compiled": lambda net: torch.compile(net, backend="eager"),
    "compiled in parallel": lambda net: nn.DataParallel(torch.compile(net, backend="eager")),
    "scripted": torch.jit.script,
    "traced": lambda net: torch.jit.trace(net, torch.rand(1, 3, 8, 8)),
    "exported for two pictures": lambda net: torch.export.export(net, (torch.rand(2, 3, 8, 8),)).module(),
}


@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_wrappers_change_nothing(wrapper: str, store: Store, pictures: Tensor) -> None:
    want = convolution()(pictures)
    network = add(store, WRAPPERS[wrapper](convolution().eval()), image_shape=(3, 8, 8))
    for count in (4, 3, 1):
        torch.testing.assert_close(network(pictures[:count]), want[:count])
    Adversary(label="true")(Batch(pictures, torch.eye(2)[[0, 1, 1, 0]]), store.bench("small-pixels", "mine"))
    assert Saliency()(pictures, network, torch.tensor([0, 1, 0, 1])).abs().amax() > 0
    assert len(store.digest("mine")) == 16


def test_a_network_that_was_used_with_weight_norm_is_copied(store: Store, pictures: Tensor) -> None:
    network = nn.Sequential(nn.Flatten(), torch.nn.utils.weight_norm(nn.Linear(192, 2)))
    want = network(pictures)
    torch.testing.assert_close(add(store, network)(pictures), want)


def test_a_grey_network_sees_colour_as_grey_and_it_is_said(store: Store) -> None:
    network = add(store, linear(channels=1), mean=[0.1], std=[0.5])
    red = torch.zeros(1, 3, 8, 8)
    red[:, 0] = 1
    torch.testing.assert_close(network(red), linear(channels=1)((torch.full((1, 1, 8, 8), 0.299) - 0.1) / 0.5))
    torch.testing.assert_close(network(red[:, :1]), linear(channels=1)((red[:, :1] - 0.1) / 0.5))
    assert any("grey" in note for note in store.notes("mine"))


class Recording(nn.Module):
    """Takes any size and remembers the last one."""

    def __init__(self) -> None:
        super().__init__()
        self.net, self.seen = convolution(), []

    def forward(self, images: Tensor) -> Tensor:
        self.seen.append(tuple(images.shape[1:]))
        return self.net(images)


def test_a_network_of_any_size_gets_the_pictures_as_they_are(store: Store) -> None:
    with pytest.warns(UserWarning, match="any size"):
        store.add("mine", Recording(), NAMES)
    network = store.load("mine")
    for shape in SIZES.values():
        network(torch.rand(1, *shape))
        assert network.network.seen[-1] == shape


def test_a_network_of_one_world_s_size_is_given_that(store: Store) -> None:
    with pytest.warns(UserWarning, match="3 × 16 × 16 pixels, the size of a world"):
        store.add("mine", linear(side=16), NAMES)
    assert store.card("mine").image_shape == (3, 16, 16)
    assert store.load("mine")(torch.rand(2, 3, 8, 8)).shape == (2, 2)


def test_a_size_that_no_world_has_is_asked_for(store: Store, tmp_path: Path) -> None:
    for place in (store, Store(tmp_path, "cpu")):
        with pytest.raises(UserError, match=r"image_shape=\(3, 224, 224\)"):
            place.add("mine", linear(side=7), NAMES)


@pytest.mark.parametrize("architecture", ["timm:vit_tiny_patch16_224", "timm:resnet18", "torchvision:vit_b_32"])
def test_a_network_says_its_own_size(architecture: str, store: Store) -> None:
    with pytest.warns(UserWarning, match="3 × 224 × 224 pixels, as its own configuration says"):
        store.add("mine", build_architecture(architecture, 2), NAMES)


def test_a_size_that_is_given_needs_no_word(store: Store) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        store.add("mine", convolution(), NAMES, image_shape=(3, 24, 24))


@pytest.mark.parametrize(
    ("network", "names", "more", "says"),
    [
        (linear(5), NAMES, {}, "Give 5 class names"),
        (linear(1), ("a", "b", "c"), {}, "One output stands for two classes"),
        (nn.Conv2d(3, 2, 3), NAMES, {}, "logits=lambda"),
        (Answering(lambda logits: None), NAMES, {}, "answers NoneType"),
        (Answering(lambda logits: logits), NAMES, {"logits": lambda answer: 7}, "one row an image"),
        (torch.jit.trace(linear(), torch.rand(1, 3, 8, 8)), (), {}, "TorchScript"),
        (linear(), NAMES, {"image_shape": (4, 8, 8)}, "channels"),
        (linear().state_dict(), NAMES, {}, "load_state_dict"),
    ],
)
def test_a_refusal_says_how_to_mend_it(network: Any, names: Any, more: Any, says: str, store: Store) -> None:
    with pytest.raises(UserError, match=says) as caught:
        store.add("mine", network, names, **more)
    assert "\n" not in str(caught.value)


@pytest.fixture(scope="module")
def resnet() -> nn.Module:
    torch.manual_seed(0)
    return build_architecture("torchvision:resnet18", 2).eval()


@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.module.", "net.backbone."])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_prefixes_of_wrappers_are_taken_off_and_said(
    prefix: str, dtype: torch.dtype, resnet: nn.Module, store: Store, tmp_path: Path
) -> None:
    state = {prefix + n: t.to(dtype) if t.is_floating_point() else t for n, t in resnet.state_dict().items()}
    save_file(state, tmp_path / "mine.safetensors")
    with pytest.warns(UserWarning, match="any size") as said:
        store.bring_classifier(tmp_path / "mine.safetensors", "torchvision:resnet18", NAMES)
    assert any(repr(prefix) in str(note.message) for note in said) == bool(prefix)
    assert any("float16" in str(note.message) for note in said) == (dtype == torch.float16)
    images = torch.rand(2, 3, 64, 64)
    torch.testing.assert_close(store.load("mine")(images), resnet(images), atol=0.01, rtol=0.01)


def test_a_prefix_is_only_taken_off_where_that_makes_it_fit() -> None:
    wanted = {"model.weight": (1,), "bias": (2,)}
    assert find_prefix(wanted, wanted) == ""
    assert find_prefix({f"module.{name}": shape for name, shape in wanted.items()}, wanted) == "module."
    assert find_prefix({"model.weight": (1,)}, wanted) == ""
    assert all(find_prefix({f"{p}a": (1,)}, {"a": (1,)}) == p for p in WRAPPER_PREFIXES)


def test_timm_may_be_the_first_to_be_asked_for() -> None:
    line = "from latentlab.models.classifiers.architectures import build_architecture as b; b('timm:resnet18', 3)"
    subprocess.run([sys.executable, "-c", line], check=True, timeout=120)

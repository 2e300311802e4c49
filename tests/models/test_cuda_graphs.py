"""One recording a shape: on the CPU with a stand-in for the accelerator's recorder, on a GPU with the real one."""

from typing import ClassVar

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from latentlab import chance
from latentlab.models import FoldedGlow, Glow, ResNet18, make_fast_form
from latentlab.models.cuda_graphs import MAX_RECORDINGS, REHEARSALS, ReplayedFunction
from latentlab.operators import METHODS
from latentlab.transfer import send_to_device
from latentlab.types import Batch, Bench

SHAPE = (3, 16, 16)
WAITS = ("aten._local_scalar_dense", "aten.nonzero", "aten.masked_select", "aten._unique2", "aten.is_nonzero")


class Take:
    """What a CUDA graph does: the function's kernels again, on the memory of the recording."""

    made: ClassVar[list["Take"]] = []

    def __init__(self, function, inputs):
        self.function, self.places = function, [x.clone() for x in inputs]
        self.made.append(self)

    def __call__(self, *inputs: Tensor) -> Tensor:
        for place, x in zip(self.places, inputs, strict=True):
            place.copy_(x)
        return self.function(*self.places).clone()


class Waits(TorchDispatchMode):
    """The operations for whose result the host would have to wait."""

    def __init__(self):
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.found += [name for name in WAITS if str(func).startswith(name)]
        return func(*args, **(kwargs or {}))


@pytest.fixture
def replayed():
    Take.made.clear()
    return ReplayedFunction(lambda a, b: a * 2 + b, "cpu", Take)


def test_a_shape_is_recorded_once_after_its_rehearsals(replayed):
    for turn in range(REHEARSALS + 4):
        a, b = torch.full((3,), float(turn)), torch.ones(3)
        assert torch.equal(replayed(a, b), a * 2 + b)
        assert len(Take.made) == (turn >= REHEARSALS)


def test_a_later_call_does_not_write_into_an_earlier_result(replayed):
    first, *_, last = [replayed(torch.full((3,), float(turn)), torch.zeros(3)) for turn in range(REHEARSALS + 3)]
    assert (float(first[0]), float(last[0])) == (0.0, 2.0 * (REHEARSALS + 2))


def test_few_shapes_are_recorded_and_all_are_right(replayed):
    for size in range(1, MAX_RECORDINGS + 4):
        for _ in range(REHEARSALS + 1):
            assert torch.equal(replayed(torch.ones(size), torch.ones(size)), torch.full((size,), 3.0))
    assert len(Take.made) == MAX_RECORDINGS


def test_a_gradient_goes_through_the_function_itself(replayed):
    a = torch.ones(3, requires_grad=True)
    for _ in range(REHEARSALS + 2):
        assert torch.autograd.grad(replayed(a, torch.ones(3)).sum(), a)[0].tolist() == [2, 2, 2]
    assert Take.made == []


def bench(device: str) -> Bench:
    torch.manual_seed(0)
    glow = Glow(SHAPE, levels=2, steps=3, hidden=32).to(device).eval().requires_grad_(False)
    classifier = ResNet18(SHAPE, tuple("0123456789")).to(device).eval().requires_grad_(False)
    return Bench(make_fast_form(glow), make_fast_form(classifier), chance.make_generator(0))


def batch(device: str) -> Batch:
    targets = torch.nn.functional.one_hot(torch.arange(4), 10).float()
    return Batch(chance.draw_uniform((4, *SHAPE), chance.make_generator(1)).to(device), targets.to(device))


@pytest.mark.parametrize("method", ["adversarial-la", "pixel-pgd", "randomized-la"])
def test_nothing_inside_an_attack_waits_for_the_device(method):
    pictures, situation = batch("cpu"), bench("cpu")
    with Waits() as waits:
        METHODS[method].operator(pictures, situation)
    assert waits.found == []
    with Waits() as waits:
        assert float(torch.ones(1)) == 1.0
    assert waits.found == ["aten._local_scalar_dense"]


def test_on_the_cpu_what_is_sent_is_what_there_is():
    tensor = torch.ones(2)
    assert send_to_device(tensor, "cpu") is tensor


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an accelerator")
def test_on_a_gpu_the_recording_gives_what_the_flow_gives():
    fast = bench("cuda").model
    assert isinstance(fast, FoldedGlow)
    codes = [
        fast.sample(4, chance.make_generator(seed)).map(lambda part: send_to_device(part, "cuda"))
        for seed in range(REHEARSALS + 3)
    ]
    with torch.no_grad():
        plain = [fast._decode_states(*(part.permute(0, 2, 3, 1) for part in code.parts.values())) for code in codes]
        for code, image in zip(codes, plain, strict=True):
            assert torch.allclose(fast.decode(code), image, atol=1e-3)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an accelerator")
def test_on_a_gpu_an_attack_never_waits():
    attack, situation, pictures = METHODS["adversarial-la"].operator, bench("cuda"), batch("cuda")
    attack(pictures, situation)  # libraries wait when they begin
    torch.cuda.set_sync_debug_mode("error")
    try:
        attack(pictures, situation)
    finally:
        torch.cuda.set_sync_debug_mode("default")

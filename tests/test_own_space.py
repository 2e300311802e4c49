"""Two functions as a space: measured coordinates, samples of the fitted Gaussian, and what is wrong is said."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from sklearn.covariance import ledoit_wolf
from torch import Tensor, nn

import latentlab as ll
from latentlab.chance import make_generator
from latentlab.errors import UserError
from latentlab.models.measured_space import MeasuredSpace, measure_shrinkage
from latentlab.types import DensityModel, DirectedModel, LatentModel, RefinableModel

SHAPE = (3, 8, 8)


class Linear(nn.Module):
    """Twelve of the axes of an orthonormal frame: codes of known mean and deviation, images that they rebuild."""

    def __init__(self) -> None:
        super().__init__()
        frame = torch.linalg.qr(torch.randn(192, 12, generator=make_generator(1)))[0]
        self.frame, self.scale = nn.Parameter(frame), torch.linspace(1, 12, 12)

    def encode(self, images: Tensor) -> Tensor:
        return 7 + ((images - 0.5).flatten(1) @ self.frame) * self.scale

    def decode(self, code: Tensor) -> Tensor:
        return 0.5 + ((code - 7) / self.scale @ self.frame.T).unflatten(1, SHAPE)

    def draw(self, count: int) -> Tensor:
        """Images of independent codes of deviation 0.1."""
        codes = 7 + 0.1 * torch.randn(count, 12, generator=make_generator(2)) * self.scale
        return self.decode(codes).detach().clamp(0, 1)


def make(encode: Callable | None, decode: Callable, images: Tensor | str, **settings: object) -> MeasuredSpace:
    return ll.space(encode, decode, images=images, **settings)  # pyright: ignore[reportArgumentType]


@pytest.fixture(scope="module")
def net() -> Linear:
    return Linear()


@pytest.fixture(scope="module")
def space(net: Linear) -> MeasuredSpace:
    return make(net.encode, net.decode, net.draw(400))


def test_coordinates_are_standard_and_pictures_come_back(net: Linear, space: MeasuredSpace) -> None:
    images = net.draw(400)
    codes = space.encode(images).flat
    torch.testing.assert_close(codes.mean(0), torch.zeros(12), atol=1e-4, rtol=0)
    torch.testing.assert_close(codes.std(0), torch.ones(12), atol=1e-4, rtol=0)
    torch.testing.assert_close(space.decode(space.encode(images)), images, atol=1e-4, rtol=0)
    assert isinstance(space, LatentModel)
    assert isinstance(space, DirectedModel)
    assert isinstance(space, RefinableModel)
    assert not isinstance(space, DensityModel)
    assert list(space.directions)[:2] == ["pc1", "pc2"]
    assert net.frame.grad is None


def test_samples_have_the_covariance_of_the_codes(net: Linear) -> None:
    mixing = torch.tensor([[1.0, 0.9], [0.0, 0.4]])

    def decode(code: Tensor) -> Tensor:
        return (code.mean(1) / 10 + 0.5)[:, None, None, None].expand(-1, *SHAPE)

    codes = torch.randn(500, 2, generator=make_generator(0)) @ mixing
    drawn = make(None, decode, net.draw(50), codes=codes).sample(20_000, make_generator(1)).flat
    torch.testing.assert_close(drawn.T.corrcoef(), codes.T.corrcoef(), atol=0.03, rtol=0)
    torch.testing.assert_close(drawn.std(0), torch.ones(2), atol=0.03, rtol=0)


def test_the_shrinkage_is_scikit_learns() -> None:
    codes = torch.randn(60, 40, generator=make_generator(0)) @ torch.randn(40, 40, generator=make_generator(1))
    codes = codes - codes.mean(0)
    assert measure_shrinkage(codes) == pytest.approx(ledoit_wolf(codes.numpy(), assume_centered=True)[1], rel=1e-4)


@pytest.mark.parametrize("wrap", [lambda a, b: {"coarse": a, "fine": b}, lambda a, b: (a, b)])
def test_codes_in_parts_have_parts(net: Linear, wrap: Callable) -> None:
    def encode(images: Tensor) -> object:
        return wrap(*net.encode(images).split([4, 8], 1))

    def decode(code: object) -> Tensor:
        parts = list(code.values()) if isinstance(code, dict) else list(code)  # pyright: ignore[reportArgumentType]
        return net.decode(torch.cat(parts, 1))

    images = net.draw(100)
    space = make(encode, decode, images)
    found = space.encode(images[:3])
    assert [tuple(part.shape) for part in found.parts.values()] == [(3, 4), (3, 8)]
    torch.testing.assert_close(space.decode(found), images[:3], atol=1e-4, rtol=0)


def test_a_decoder_alone_finds_codes_by_optimisation(net: Linear) -> None:
    codes = net.encode(net.draw(300)).detach()
    space = make(None, net.decode, net.draw(50), codes=codes)
    images = net.draw(4)
    together = space.encode(images)
    assert (space.decode(together) - images).square().mean() < 1e-4
    torch.testing.assert_close(space.encode(images[:1]).flat, together.flat[:1], atol=1e-3, rtol=0)


def test_a_density_is_used(net: Linear) -> None:
    space = make(net.encode, net.decode, net.draw(60), log_prob=lambda images: -images.flatten(1).sum(1))
    assert isinstance(space, DensityModel)
    images = torch.full((2, *SHAPE), 0.5)
    assert space.log_prob(images).tolist() == [-96.0, -96.0]


def test_a_world_gives_pictures_and_directions(net: Linear) -> None:
    space = make(
        lambda x: nn.functional.avg_pool2d(x, 4), lambda c: nn.functional.interpolate(c, scale_factor=4), "digits"
    )
    assert space.image_shape == (3, 32, 32)
    assert {"pc1", "0", "9"} <= set(space.directions)


@pytest.mark.parametrize(
    ("encode", "decode", "says"),
    [
        (lambda x: x + torch.randn_like(x), lambda c: c.clamp(0, 1), "draws anew"),
        (lambda x: x - x.mean(0), lambda c: c.clamp(0, 1), "others of its batch"),
        (lambda x: x, lambda c: c.detach(), "no gradient"),
        (lambda x: x, lambda c: 0 * c + 0.9, "no better than the mean"),
        (lambda x: x, lambda c: c, "it rebuilds its pictures at"),
    ],
)
def test_what_a_user_should_know_is_said(net: Linear, encode: Callable, decode: Callable, says: str) -> None:
    assert any(says in note for note in make(encode, decode, net.draw(40)).notes)


@pytest.mark.parametrize(
    ("encode", "decode", "images", "says"),
    [
        (lambda x: x, lambda c: c, torch.rand(5, *SHAPE), "at least 20"),
        (lambda x: x, lambda c: c, torch.rand(50, *SHAPE) * 255, "2 \\* x - 1"),
        (lambda x: x, lambda c: c * 2 - 4, torch.rand(50, *SHAPE), r"\+ 1\) / 2"),
        (lambda x: x, lambda c: c[..., :4], torch.rand(50, *SHAPE), "one size"),
        (lambda x: x / 0, lambda c: c, torch.rand(50, *SHAPE), "not finite"),
        (lambda x: x @ torch.ones(3, 3), lambda c: c, torch.rand(50, *SHAPE), "do not fit together"),
        (None, lambda c: c, torch.rand(50, *SHAPE), "codes="),
    ],
)
def test_what_cannot_be_a_space_is_refused(encode: Callable, decode: Callable, images: Tensor, says: str) -> None:
    with pytest.raises(UserError, match=says) as caught:
        make(encode, decode, images)
    assert "\n" not in str(caught.value)


def test_a_generator_of_another_size_makes_its_own_world(net: Linear, small_world: object) -> None:
    store = ll.Store(small_world, "cpu")  # pyright: ignore[reportArgumentType]
    assert store.worlds == ("digits",)
    store.add("tiny-net", make(net.encode, net.decode, net.draw(60)))
    assert store.worlds == ("digits", "tiny")
    assert store.find_image_shape("tiny") == SHAPE
    assert store.list_models("tiny") == ["tiny-pixels", "tiny-net"]
    assert store.find_world("tiny-net") == "tiny"
    from latentlab.session import Workspace
    from latentlab.session.actions import open_world

    session = open_world(Workspace(store), "tiny")
    assert session.model == "tiny-net"
    assert session.result.image.shape == (1, *SHAPE)

"""The VAE whose code is a map: it begins as PCA, its places are places, its prior is exact."""

import pytest
import torch

from latentlab import chance, models
from latentlab.models import Card, SpatialVAE
from latentlab.models.principal_components import PrincipalComponents, find_principal_components
from latentlab.types import Latents

SHAPE = (3, 16, 16)
SMALL = {"channels": 2, "stride": 4, "width": 8, "fine": 8, "depth": 1, "levels": 2, "steps": 2, "hidden": 8}


def pictures(count: int = 200, size: int = 16) -> torch.Tensor:
    """Smooth ones, as photographs are."""
    coarse = chance.draw_uniform((count, 3, 4, 4), chance.make_generator(0))
    smooth = torch.nn.functional.interpolate(coarse, (size, size), mode="bilinear")
    return ((0.9 * smooth + 0.1 * chance.draw_uniform((count, 3, size, size), chance.make_generator(1))) * 255).byte()


def begun(images: torch.Tensor, **own: int) -> tuple[SpatialVAE, PrincipalComponents]:
    torch.manual_seed(0)
    _, colours, height, width = images.shape
    network = SpatialVAE((colours, height, width), **SMALL | own).eval().requires_grad_(False)
    components = find_principal_components(images, network.prior.mean.numel())
    network.start_from_components(components)
    return network, components


def test_it_begins_as_pca():
    images = pictures()
    network, components = begun(images)
    whole = images[:8].float() / 255
    line = components.decode(components.encode(whole), whole.shape[1:])
    assert torch.allclose(network.decode_raw(network.encode_raw(whole)), line, atol=1e-4)


def test_its_first_codes_are_white():
    images = pictures()
    network, _ = begun(images)
    codes = network.encode_raw(images.float() / 255).flatten(1)
    assert codes.mean(0).abs().max() < 1e-3
    assert torch.allclose(codes.T.cov(), torch.eye(codes.shape[1]), atol=1e-2)


def test_a_coordinate_belongs_to_its_place():
    """What one coordinate paints is strongest in its own quarter of the rows and columns."""
    network, _ = begun(pictures())
    painted = network.synthesis.weight.view(3, 4, 4, 4, 4, 2, 4, 4).square().sum((0, 2, 4, 5))  # cell y x, place y x
    assert all(painted[:, :, y, x].argmax() == 4 * y + x for y in range(4) for x in range(4))


def test_the_prior_is_invertible_and_its_codes_are_standard_after_the_fit():
    images = pictures().float() / 255
    network, _ = begun(pictures())
    network.prior.initialise_actnorms(network.encode_raw(images[:64]))
    network.prior.standardise(network.prior.run_flow(network.encode_raw(images))[0])
    codes = network.encode(images).parts["code"]
    assert codes.mean(0).abs().max() < 1e-3
    assert torch.allclose(codes.std(0), torch.ones(codes.shape[1]), atol=1e-3)
    assert torch.allclose(network.prior.decode(codes), network.encode_raw(images), atol=1e-3)


def test_the_density_of_the_prior_is_that_of_its_jacobian():
    network, _ = begun(pictures())
    network.prior.initialise_actnorms(network.encode_raw(pictures()[:64].float() / 255))
    for level in network.prior.levels:
        for step in level.steps:
            torch.nn.init.normal_(step.coupling.net[-1].weight, 0, 0.05)
    network.double()
    code = chance.draw_normal((1, *network.shape), chance.make_generator(3)).double()
    jacobian = torch.autograd.functional.jacobian(lambda x: network.prior.run_flow(x)[0].flatten(), code)
    _, log_det = network.prior.run_flow(code)
    slope = torch.linalg.slogdet(jacobian.reshape(code.numel(), -1))[1]
    torch.testing.assert_close(log_det[0], slope, atol=1e-4, rtol=1e-4)


def test_large_pictures_are_seen_by_the_lines_at_a_part_of_their_size():
    images = pictures(120, 32)
    torch.manual_seed(0)
    network = SpatialVAE((3, 32, 32), **SMALL | {"stride": 8, "pooled": 2}).eval().requires_grad_(False)
    small = torch.nn.functional.avg_pool2d(images.float(), 2).round().byte()
    network.start_from_components(find_principal_components(small, network.prior.mean.numel()))
    whole = images[:8].float() / 255
    assert network.decode(network.encode(whole)).shape == whole.shape
    assert (network.decode_raw(network.encode_raw(whole)) - whole).square().mean() < 0.02


def test_decoded_images_are_in_range():
    network, _ = begun(pictures())
    size = network.prior.mean.numel()
    images = network.decode(Latents({"code": 50 * chance.draw_normal((4, size), chance.make_generator(0))}))
    assert images.shape == (4, *SHAPE)
    assert 0 <= images.min() <= images.max() <= 1


@pytest.mark.parametrize("own", [{}, {"stride": 8, "pooled": 2, "channels": 4}])
def test_a_file_holds_it_in_half_the_room_without_a_loss(own, tmp_path):
    arguments = {"image_shape": SHAPE, **SMALL, "levels": 1, **own}
    torch.manual_seed(0)
    network = SpatialVAE(**arguments).eval()
    network.round_to_half()
    network.prior.standardise(chance.draw_normal((50, network.prior.mean.numel()), chance.make_generator(0)))
    models.save_network(tmp_path / "x.safetensors", network, Card("vae", arguments, SHAPE))
    again = models.load_network(tmp_path / "x.safetensors")[1]
    assert isinstance(again, SpatialVAE)
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in network.state_dict().items())
    size = sum(tensor.numel() for tensor in network.state_dict().values())
    assert (tmp_path / "x.safetensors").stat().st_size < 2.5 * size + 20_000

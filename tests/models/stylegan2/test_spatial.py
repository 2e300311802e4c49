"""The StyleGAN2 that starts from a map: the palette is taken out and put back, it begins as PCA, styles are white."""

import pytest
import torch

from latentlab import chance, models
from latentlab.models import SpatialStyleGAN2
from latentlab.models.principal_components import find_principal_components
from latentlab.models.stylegan2.spatial import measure_palette, remove_palette, restore_palette
from latentlab.types import DirectedModel, LatentModel, RefinableModel, ShellModel

SHAPE = (3, 16, 16)
SMALL = {"channels": (8, 8, 4), "content": 2, "style_dim": 6, "width": 8, "depth": 1, "steps": 2, "hidden": 8}


def pictures(count: int = 200) -> torch.Tensor:
    """Smooth ones, as photographs are."""
    coarse = chance.draw_uniform((count, 3, 4, 4), chance.make_generator(0))
    smooth = torch.nn.functional.interpolate(coarse, (16, 16), mode="bilinear")
    return 0.9 * smooth + 0.1 * chance.draw_uniform((count, 3, 16, 16), chance.make_generator(1))


@pytest.fixture(scope="module")
def network() -> SpatialStyleGAN2:
    torch.manual_seed(0)
    model, images = SpatialStyleGAN2(SHAPE, **SMALL).eval().requires_grad_(False), pictures()
    plain = 255 * remove_palette(images, measure_palette(images))
    model.start_from_components(find_principal_components(plain, 32))
    torch.nn.init.normal_(model.style_head.weight, 0, 0.1)
    model.prior.initialise_actnorms(model.encode_raw(images[:64]))
    model.prior.standardise(model.prior.run_flow(model.encode_raw(images))[0])
    model.whiten_styles(model.encode_parts(images)[1])
    return model


def test_a_palette_by_hand():
    """Half black, half white: means and contrast are 1/2; on a picture of one colour nothing is blown up."""
    image = torch.zeros(1, 3, 4, 4)
    image[:, :, :2] = 1
    palette = measure_palette(image)
    assert palette[0, :3].tolist() == pytest.approx([0.5] * 3)
    assert palette[0, 3].exp().item() == pytest.approx(0.5)
    assert remove_palette(image, palette)[0, 0, :, 0].tolist() == pytest.approx([0.7, 0.7, 0.3, 0.3])
    flat = torch.full((1, 3, 4, 4), 0.2)
    assert torch.allclose(remove_palette(flat, measure_palette(flat)), torch.tensor(0.5), atol=1e-5)


def test_a_palette_is_put_back():
    images = pictures(8)
    palette = measure_palette(images)
    plain = remove_palette(images, palette)
    assert torch.allclose(restore_palette(plain, palette), images, atol=1e-5)
    assert torch.allclose(plain.mean((2, 3)), torch.tensor(0.5), atol=1e-4)


def test_it_begins_as_pca_of_what_is_left(network):
    images = pictures()
    palette = measure_palette(images)
    plain = remove_palette(images, palette)
    components = find_principal_components(255 * plain, 32)
    line = restore_palette(components.decode(components.encode(plain), SHAPE), palette)
    assert torch.allclose(network.decode(network.encode(images[:8])), line[:8].clamp(0, 1), atol=1e-3)


def test_protocols_parts_and_ranges(network):
    assert isinstance(network, LatentModel)
    assert isinstance(network, RefinableModel)
    assert isinstance(network, DirectedModel)
    assert isinstance(network, ShellModel)
    latents = network.sample(3, chance.make_generator(0))
    shapes = {name: tuple(part.shape) for name, part in latents.parts.items()}
    assert shapes == {"content": (3, 32), "4px": (3, 6), "8px": (3, 6), "16px": (3, 6)}
    assert latents.select_part_names(["fine"]) == ("16px",)
    images = network.decode(latents)
    assert images.shape == (3, *SHAPE)
    assert 0 <= images.min() <= images.max() <= 1


def test_codes_of_the_images_are_standard_in_every_part(network):
    for part in network.encode(pictures()).parts.values():
        assert part.mean(0).abs().max() < 1e-2
        assert torch.allclose(part.std(0), torch.ones(part.shape[1]), atol=2e-2)


def test_the_style_of_a_partner_brings_its_palette_and_leaves_the_structure(network):
    images = 0.3 + 0.4 * pictures(2)  # far from black and white, so that nothing is cut off
    codes = network.encode(images)
    swapped = network.decode(codes.swap(codes[[1, 0]], ["16px"]))
    assert torch.allclose(measure_palette(swapped), measure_palette(network.decode(codes))[[1, 0]], atol=0.1)
    plain = [remove_palette(each, measure_palette(each)) for each in (swapped, images, images[[1, 0]])]
    own, other = ((plain[0] - each).norm().item() for each in plain[1:])
    assert own < 0.5 * other


def test_refining_lowers_the_error(network):
    images = pictures(4)
    start = network.encode(images).map(lambda part: 0.5 * part)
    refined = network.refine(images, start, 20)
    before, after = ((network.decode(each) - images).square().mean() for each in (start, refined))
    assert after < 0.9 * before


def test_its_fast_form_paints_the_same_picture(network):
    latents = network.sample(2, chance.make_generator(3))
    assert (models.make_fast_form(network).decode(latents) - network.decode(latents)).abs().max() < 0.05

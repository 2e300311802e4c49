"""StyleGAN2: modulation by its definition, the parts of the code, inversion, and nothing left behind."""

import pytest
import torch
import torch.nn.functional as F
from repository import CHECKPOINTS

from latentlab import chance, models
from latentlab.models.stylegan2.discriminator import Discriminator, measure_batch_deviation
from latentlab.models.stylegan2.generator import StyleGAN2
from latentlab.models.stylegan2.layers import ModulatedConv, ToImage, make_blur_kernel, upsample_image
from latentlab.types import DirectedModel, LatentModel, Latents, RefinableModel


def gan(encoder: bool = True) -> StyleGAN2:
    torch.manual_seed(0)
    model = StyleGAN2((3, 16, 16), channels=(16, 16, 8), style_dim=12, mapping_layers=2, encoder=encoder)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("strength"):
                parameter.fill_(0.3)
    model.measure_whitening(chance.make_generator(0), 4000)
    return model.eval().requires_grad_(False)


def draw_latents(count: int = 4, seed: int = 1) -> Latents:
    return gan().sample(count, chance.make_generator(seed))


def naive(conv: ModulatedConv, x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
    """Equations 1 to 3 of the paper: weights of its own for every image."""
    images = []
    for image, style in zip(x, conv.affine(w), strict=True):
        weight = conv.weight * conv.gain * style[None, :, None, None]
        weight = weight / (weight.square().sum((1, 2, 3), keepdim=True) + 1e-8).sqrt()
        if conv.up:
            wide = F.conv_transpose2d(image[None], weight.transpose(0, 1), stride=2)
            kernel = make_blur_kernel(4.0).expand(len(weight), 1, 4, 4)
            images.append(F.conv2d(wide, kernel, padding=1, groups=len(weight)))
        else:
            images.append(F.conv2d(image[None], weight, padding=1))
    return torch.cat(images)


@pytest.mark.parametrize("up", [False, True])
def test_shared_weights_equal_weights_of_each_image(up):
    torch.manual_seed(0)
    conv = ModulatedConv(6, 5, 3, 8, up)
    x, w = torch.randn(3, 6, 7, 7), torch.randn(3, 8)
    y, demodulation = conv(x, w)
    assert torch.allclose(y * demodulation, naive(conv, x, w), atol=1e-5)


def test_the_image_branch_is_a_style_scaled_projection():
    torch.manual_seed(0)
    layer = ToImage(6, 3, 8)
    x, w = torch.randn(2, 6, 4, 4), torch.randn(2, 8)
    expected = torch.einsum("bihw,oi,bi->bohw", x, layer.weight * layer.gain, layer.affine(w))
    assert torch.allclose(layer(x, w, None), expected, atol=1e-5)


def test_upsampling_keeps_a_flat_image_flat():
    inner = upsample_image(torch.full((1, 2, 6, 6), 3.0), make_blur_kernel(4.0))[:, :, 2:-2, 2:-2]
    assert torch.allclose(inner, torch.full_like(inner, 3.0))


def test_protocols_and_shapes():
    model = gan()
    assert isinstance(model, LatentModel)
    assert isinstance(model, RefinableModel)
    assert isinstance(model, DirectedModel)
    latents = draw_latents()
    assert {name: tuple(part.shape) for name, part in latents.parts.items()} == {
        "4px": (4, 1, 12),
        "8px": (4, 2, 12),
        "16px": (4, 3, 12),
    }
    images = model.decode(latents)
    assert images.shape == (4, 3, 16, 16)
    assert 0 <= images.min() <= images.max() <= 1
    assert torch.equal(model.join_parts(model.split_codes(model.join_parts(latents))), model.join_parts(latents))


def test_a_batch_is_its_images_one_by_one():
    model, latents = gan(), draw_latents()
    together = model.decode(latents)
    alone = torch.cat([model.decode(latents[[row]]) for row in range(len(latents))])
    assert torch.allclose(together, alone, atol=1e-5)
    codes = model.encode(together).flat
    assert torch.allclose(codes, torch.cat([model.encode(image[None]).flat for image in together]), atol=1e-4)


def test_samples_have_the_same_style_in_every_layer_and_standard_coordinates():
    model = gan()
    codes = model.join_parts(model.sample(3000, chance.make_generator(2)))
    assert torch.equal(codes[:, 0], codes[:, -1])
    assert codes.mean((0, 1)).abs().max() < 0.1
    assert (codes.std((0, 1)) - 1).abs().max() < 0.1
    assert torch.equal(model.sample(3, chance.make_generator(2)).flat, model.sample(3, chance.make_generator(2)).flat)


def test_measuring_changes_coordinates_and_not_pictures():
    model = gan()
    images = model.decode(draw_latents())
    before = model.decode(model.encode(images))
    model.w_mean.add_(0.1)
    assert model.encoder is not None
    model.encoder.rescale_code(torch.ones(12), -0.1 / model.w_std)
    model.measure_whitening(chance.make_generator(5), 200)
    assert torch.allclose(model.decode(model.encode(images)), before, atol=1e-4)


def test_swapping_the_finest_part_changes_detail_and_swapping_all_gives_the_partner():
    model, latents = gan(), draw_latents(2)
    partner = latents[[1, 0]]
    assert torch.equal(model.decode(latents.swap(partner, latents.parts)), model.decode(partner))
    plain, fine = model.decode(latents), model.decode(latents.swap(partner, ["16px"]))
    coarse = model.decode(latents.swap(partner, ["4px", "8px"]))
    assert (F.avg_pool2d(fine - plain, 8)).abs().mean() > 0
    assert not torch.equal(fine, coarse)


def test_coarse_features_do_not_see_the_fine_part():
    """Style mixing: a layer's style is used from that layer on, never before it."""
    model, latents = gan(), draw_latents(2)
    codes = model.colour_codes(model.join_parts(latents)).clone().requires_grad_()
    x = model.const.expand(2, -1, -1, -1)
    for layer in range(3):
        x = model.convs[layer](x, codes[:, layer], None)
    (slope,) = torch.autograd.grad(x.square().sum(), codes)
    assert slope[:, :3].abs().amin((0, 2)).max() > 0
    assert torch.equal(slope[:, 3:], torch.zeros_like(slope[:, 3:]))


def test_truncation():
    model, latents = gan(), draw_latents()
    assert torch.equal(model.truncate_latents(latents, 1.0).flat, latents.flat)
    mean = model.decode(model.truncate_latents(latents, 0.0))
    assert torch.allclose(mean, mean[:1].expand_as(mean), atol=1e-6)


@pytest.mark.parametrize("encoder", [True, False])
def test_refining_lowers_the_error_and_gives_the_same_bits_twice(encoder):
    model = gan(encoder)
    images = model.decode(model.sample(2, chance.make_generator(9)))
    start = model.split_codes(torch.zeros(2, 6, 12))
    with torch.no_grad():  # as in a page's handler
        refined = model.refine(images, start, 40)
    error = (model.decode(start) - images).square().mean((1, 2, 3))
    assert ((model.decode(refined) - images).square().mean((1, 2, 3)) < 0.5 * error).all()
    assert torch.equal(model.refine(images, start, 40).flat, refined.flat)
    alone = model.refine(images[:1], start[[0]], 5).flat
    assert torch.allclose(alone, model.refine(images, start, 5).flat[:1], atol=1e-3)


def test_without_an_encoder_encoding_is_optimisation_from_the_mean():
    model = gan(encoder=False)
    images = model.decode(model.sample(2, chance.make_generator(9)))
    mean = model.decode(model.split_codes(torch.zeros(2, 6, 12)))
    rebuilt = model.decode(model.encode(images))
    assert (rebuilt - images).square().mean() < 0.3 * (mean - images).square().mean()


def test_refining_leaves_no_trace():
    model = gan().requires_grad_(True)
    images, latents = model.decode(draw_latents()).detach(), draw_latents()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    model.refine(images, latents, 3)
    assert all(p.grad is None for p in model.parameters())
    assert all(part.grad is None and not part.requires_grad for part in latents.parts.values())
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_gradients_reach_every_part_through_the_decoder():
    model, latents = gan(), draw_latents()
    flat = latents.flat.requires_grad_()
    (slope,) = torch.autograd.grad(model.decode(latents.unflat(flat)).sum(), flat)
    assert all(part.abs().sum() > 0 for part in latents.unflat(slope).parts.values())


def test_batch_deviation_by_hand():
    """Two images that differ by 2 everywhere deviate by 1; equal ones by nothing."""
    pair = torch.stack([torch.zeros(2, 4, 4), torch.full((2, 4, 4), 2.0)])
    assert torch.allclose(measure_batch_deviation(pair), torch.ones(2, 1, 4, 4), atol=1e-4)
    assert measure_batch_deviation(pair[:1].repeat(2, 1, 1, 1)).max() < 1e-3


def test_discriminator_gives_one_logit_an_image():
    assert Discriminator(3, (16, 16, 8))(torch.rand(6, 3, 16, 16)).shape == (6,)


@pytest.mark.parametrize("path", sorted(CHECKPOINTS.glob("*-stylegan2.safetensors")), ids=lambda path: path.stem)
def test_shipped_generators_answer_every_seed_alike(path):
    """Weights that begin with the numbers of a seed answer that seed's z with codes half as wide again."""
    network = models.load_network(path)[1]
    widths = [network.sample(256, chance.make_generator(seed)).flat.std().item() for seed in range(4)]
    print(path.stem, [f"{width:.3f}" for width in widths])
    assert widths == pytest.approx([1.0] * 4, abs=0.1)

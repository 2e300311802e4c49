"""Principal components: by hand, against the covariance's own, and as a code."""

import torch

from latentlab import chance
from latentlab.models.principal_components import find_principal_components


def pictures() -> torch.Tensor:
    """64 pictures of 12 values, of which three directions carry nearly everything."""
    rng = chance.make_generator(0)
    codes = chance.draw_normal((64, 3), rng) * torch.tensor([40.0, 20.0, 10.0])
    axes = torch.linalg.qr(chance.draw_normal((12, 3), rng))[0].T
    return (128 + codes @ axes + chance.draw_normal((64, 12), rng)).clamp(0, 255).byte().view(64, 3, 2, 2)


def test_they_are_the_eigenvectors_of_the_covariance():
    images = pictures()
    found = find_principal_components(images, 3)
    values, vectors = torch.linalg.eigh((images.flatten(1).double() / 255).T.cov())
    torch.testing.assert_close(found.deviations.double(), values.flip(0)[:3].sqrt(), atol=1e-4, rtol=1e-3)
    assert torch.allclose((found.axes.double() @ vectors.flip(1)[:, :3]).abs(), torch.eye(3).double(), atol=1e-2)


def test_a_code_of_every_component_loses_nothing():
    images = pictures()
    found, whole = find_principal_components(images, 12), images.float() / 255
    assert torch.allclose(found.decode(found.encode(whole), whole.shape[1:]), whole, atol=1e-5)


def test_codes_of_the_training_images_have_the_deviations_that_are_told():
    images = pictures()
    found = find_principal_components(images, 3)
    torch.testing.assert_close(found.encode(images.float() / 255).std(0), found.deviations, atol=1e-4, rtol=1e-3)

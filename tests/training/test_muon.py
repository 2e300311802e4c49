"""Muon beside torch's own, which takes matrices only."""

import pytest
import torch
from torch import nn

from latentlab.training.muon import Muon, orthogonalise_update


def test_an_update_turns_and_hardly_stretches():
    torch.manual_seed(0)
    for shape in ((40, 40), (16, 90), (90, 16)):
        update = torch.randn(shape) @ torch.diag(torch.logspace(0, -1, shape[1]))
        u, _, v = torch.linalg.svd(update, full_matrices=False)
        made = orthogonalise_update(update)
        values = torch.linalg.svdvals(made)
        print(f"{shape}: singular values {values.min():.2f} to {values.max():.2f}")
        assert values.min() > 0.3
        assert values.max() < 1.3
        assert torch.cosine_similarity(made.flatten(), (u @ v).flatten(), 0) > 0.95


@pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="this torch has no Muon of its own")
@pytest.mark.parametrize("shape", [(12, 30), (30, 12)])
def test_on_matrices_it_is_torchs_muon(shape):
    torch.manual_seed(0)
    start, goal = torch.randn(shape), torch.randn(shape)
    ours, theirs = nn.Parameter(start.clone()), nn.Parameter(start.clone())
    muon = Muon([ours], 0.01)
    oracle = torch.optim.Muon([theirs], 0.01, weight_decay=0.0, momentum=0.95, adjust_lr_fn="match_rms_adamw")
    for _ in range(20):
        for parameter, optimiser in ((ours, muon), (theirs, oracle)):
            optimiser.zero_grad()
            (parameter - goal).square().sum().backward()
            optimiser.step()
    torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-5)


def test_a_kernel_is_a_matrix_of_its_output_channels():
    torch.manual_seed(0)
    kernel = nn.Parameter(torch.randn(8, 3, 3, 3).contiguous(memory_format=torch.channels_last))
    matrix = nn.Parameter(kernel.detach().flatten(1).clone())
    for parameter in (kernel, matrix):
        muon = Muon([parameter], 0.01)
        parameter.grad = torch.arange(216.0).sin().view(parameter.shape)
        muon.step()
    assert torch.equal(kernel.flatten(1), matrix)
    assert kernel.is_contiguous(memory_format=torch.channels_last)


def test_what_has_no_gradient_stays():
    parameter = nn.Parameter(torch.ones(2, 2))
    Muon([parameter], 0.1).step()
    assert torch.equal(parameter, torch.ones(2, 2))

"""UMAP beside torch and in several threads."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch
from repository import ROOT
from torch import Tensor

from latentlab.projections import (
    UMAP,
)

FOUR_THREADS = """
import sys, torch
from threading import Thread
from latentlab.projections import UMAP
points = torch.randn(80, 12, generator=torch.Generator().manual_seed(0))
found = {}
def work(number):
    fitted = UMAP(neighbours=5).fit(points)
    found[number] = fitted.coordinates, fitted.transform(points[:9] + 0.1)
threads = [Thread(target=work, args=(number,)) for number in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
assert len(found) == 4
assert all(torch.equal(a, b) for other in found.values() for a, b in zip(found[0], other))
import numba
print(numba.threading_layer())
"""


def test_the_package_is_there_without_a_compiler():
    heavy = "print({'numba', 'umap', 'sklearn', 'plotly'} & set(__import__('sys').modules))"
    code = f"import latentlab.projections, latentlab.toys, latentlab.embeddings; {heavy}"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert run.stdout.strip() == "set()", run.stderr


@pytest.mark.slow
@pytest.mark.skipif(os.cpu_count() == 1, reason="one core has one thread either way")
def test_umap_leaves_torchs_threads_as_they_were(points: Tensor):
    assert torch.get_num_threads() == 1, "as for all tests"
    UMAP().fit(points)
    assert torch.get_num_threads() == 1


@pytest.mark.slow
def test_four_threads_at_once_do_not_abort_under_the_workqueue_layer():
    environment = {"NUMBA_THREADING_LAYER": "workqueue", "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    run = subprocess.run(
        [sys.executable, "-c", FOUR_THREADS], capture_output=True, text=True, env=environment, timeout=600
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == "workqueue"

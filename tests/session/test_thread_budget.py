"""With how many threads the page computes."""

from __future__ import annotations

from typing import Any

import torch

from latentlab.runs import Runs
from latentlab.session import Workspace
from latentlab.store import Store


def test_one_picture_leaves_a_core_to_the_browser(workspace: Workspace, small_world: Any) -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        fresh = Workspace(Store(small_world, "cpu"))
        pictures = torch.cat([found.image for found in fresh.list_examples("digits")[:2]])
        codes = fresh.encode_pictures("digits-glow", pictures)
        for count, threads in ((1, 2), (2, 3)):
            fresh.decode_latents("digits-glow", codes[:count])
            assert torch.get_num_threads() == threads
        torch.set_num_threads(1)
        workspace.decode_latents("digits-glow", codes[:1])
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)


def test_the_page_computes_with_the_threads_that_the_runs_beside_it_leave(small_world: Any, tmp_path: Any) -> None:
    before, runs = torch.get_num_threads(), Runs(tmp_path)
    try:
        torch.set_num_threads(3)
        workspace = Workspace(Store(small_world, "cpu"), runs=runs)
        for taken, left in {0: 3, 1: 2, 5: 1}.items():
            runs.taken = taken
            assert workspace.store.list_models("digits")
            assert torch.get_num_threads() == left
    finally:
        torch.set_num_threads(before)

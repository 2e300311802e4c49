"""The process of the projections: order, progress, cancelling, death, and that nothing of it stays behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread

import pytest
import torch
from repository import ROOT
from torch import Tensor

from latentlab.errors import UserError
from latentlab.projections import PCA, UMAP, FittedProjection, PaCMAP, ProjectionCache, ProjectionJob, ProjectionWorker

LONG = 120.0  # seconds that a busy machine may take
OWNER = """
import torch, time
from latentlab.projections import PCA, ProjectionWorker
worker = ProjectionWorker()
worker.request_projection(torch.randn(50, 3), PCA()).await_result(60)
print(worker.child_pid, flush=True)
{then}
"""


@pytest.fixture(scope="module")
def worker() -> Iterator[ProjectionWorker]:
    worker = ProjectionWorker()
    yield worker
    worker.close()


@pytest.fixture(scope="module")
def points() -> Tensor:
    return torch.randn(150, 20, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def many() -> Tensor:
    """So many that their layout takes seconds."""
    return torch.randn(6000, 20, generator=torch.Generator().manual_seed(0))


def wait(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + LONG
    while not condition():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.02)


def lives(pid: int) -> bool:
    """Runs, and is not a dead one that nobody has asked about yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_it_gives_what_the_same_fit_gives_here(worker: ProjectionWorker, points: Tensor):
    job = worker.request_projection(points, PaCMAP(seed=3))
    there, here = job.await_result(LONG), PaCMAP(seed=3).fit(points)
    assert (job.state, job.progress, job.is_done) == ("finished", 1.0, True)
    assert torch.equal(there.coordinates, here.coordinates)
    assert torch.equal(there.transform(points[:5] + 1), here.transform(points[:5] + 1))
    assert there.digest == here.digest


def test_callers_at_once_wait_for_one_another_in_one_process(worker: ProjectionWorker, points: Tensor):
    tools = [PaCMAP(seed=seed) for seed in range(4)]
    found: dict[int, FittedProjection] = {}

    def ask(number: int) -> None:
        found[number] = worker.request_projection(points, tools[number]).await_result(LONG)

    threads = [Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, tool in enumerate(tools):
        assert torch.equal(found[number].coordinates, tool.fit(points).coordinates)


def test_it_says_how_far_it_is(worker: ProjectionWorker, many: Tensor):
    job = worker.request_projection(many, PaCMAP())
    seen: list[tuple[str, float]] = []
    while not job.is_done:
        seen.append((job.stage, job.progress))
        time.sleep(0.005)
    shares = [share for _, share in seen]
    assert shares == sorted(shares)
    assert {"neighbours", "layout"} <= {stage for stage, _ in seen}
    assert any(0.4 < share < 1 for share in shares)


def test_a_running_job_is_cancelled_at_once_and_the_process_stays_warm(
    worker: ProjectionWorker, points: Tensor, many: Tensor
):
    job = worker.request_projection(many, PaCMAP(seed=1))
    wait(lambda: job.stage == "layout")
    before = worker.child_pid
    job.cancel()
    assert job.state == "cancelled"
    with pytest.raises(UserError, match="cancelled"):
        job.await_result(0)
    assert worker.request_projection(points, PCA()).await_result(LONG).coordinates.shape == (150, 2)
    assert worker.child_pid == before


def test_a_waiting_job_that_is_cancelled_never_starts(worker: ProjectionWorker, points: Tensor, many: Tensor):
    first, second = worker.request_projection(many, PaCMAP(seed=2)), worker.request_projection(points, PaCMAP())
    second.cancel()
    first.cancel()
    assert worker.request_projection(points, PCA()).await_result(LONG)
    assert (second.state, second.stage, second.progress) == ("cancelled", "", 0.0)


def test_cancelling_what_has_ended_changes_nothing(worker: ProjectionWorker, points: Tensor):
    job = worker.request_projection(points, PCA())
    fitted = job.await_result(LONG)
    job.cancel()
    assert job.state == "finished"
    assert job.await_result() is fitted


def test_a_refusal_comes_back_in_words(worker: ProjectionWorker):
    job = worker.request_projection(torch.zeros(5, 3), PaCMAP())
    with pytest.raises(UserError, match="takes from 40"):
        job.await_result(LONG)
    assert job.state == "failed"


def test_waiting_too_short_is_a_clear_error(worker: ProjectionWorker, many: Tensor):
    job = worker.request_projection(many, PaCMAP(seed=4))
    with pytest.raises(UserError, match="not finished after 0 s"):
        job.await_result(0)
    job.cancel()


def test_a_killed_process_fails_its_job_and_the_next_starts_a_new_one(
    worker: ProjectionWorker, points: Tensor, many: Tensor
):
    job = worker.request_projection(many, PaCMAP(seed=5))
    wait(lambda: job.stage == "layout")
    old = worker.child_pid
    assert old is not None
    os.kill(old, signal.SIGKILL)
    with pytest.raises(UserError, match="SIGKILL"):
        job.await_result(LONG)
    assert worker.request_projection(points, PCA()).await_result(LONG)
    assert worker.child_pid not in (None, old)


def test_a_process_killed_between_jobs_is_replaced(worker: ProjectionWorker, points: Tensor):
    worker.request_projection(points, PCA()).await_result(LONG)
    old = worker.child_pid
    assert old is not None
    os.kill(old, signal.SIGKILL)
    wait(lambda: worker.child_pid is None)
    assert worker.request_projection(points, PCA(dims=3)).await_result(LONG)
    assert worker.child_pid not in (None, old)


def test_what_is_kept_needs_no_process(points: Tensor, tmp_path: Path):
    first = ProjectionWorker(ProjectionCache(tmp_path))
    fitted = first.request_projection(points, PaCMAP()).await_result(LONG)
    first.close()
    second = ProjectionWorker(ProjectionCache(tmp_path))
    again = second.request_projection(points, PaCMAP()).await_result(LONG)
    assert second.child_pid is None
    assert torch.equal(again.coordinates, fitted.coordinates)
    second.close()


def test_a_closed_worker_ends_its_process_and_refuses(points: Tensor, many: Tensor):
    worker = ProjectionWorker()
    worker.request_projection(points, PCA()).await_result(LONG)
    pid = worker.child_pid
    assert pid is not None
    jobs: list[ProjectionJob] = [worker.request_projection(many, PaCMAP()), worker.request_projection(points, PCA())]
    worker.close()
    assert not lives(pid)
    for job in (*jobs, worker.request_projection(points, PCA())):
        with pytest.raises(UserError):
            job.await_result(LONG)


@pytest.mark.parametrize("then", ["", "import os; os.kill(os.getpid(), 9)", "raise SystemExit(3)"])
def test_no_process_stays_behind_however_its_owner_ends(then: str):
    run = subprocess.run(
        [sys.executable, "-c", OWNER.format(then=then)], capture_output=True, text=True, cwd=ROOT, check=False
    )
    pid = int(run.stdout)
    wait(lambda: not lives(pid))


@pytest.mark.slow
def test_umap_tells_its_epochs_and_can_be_cancelled_among_them(worker: ProjectionWorker, points: Tensor, many: Tensor):
    warm = worker.request_projection(points, UMAP())
    assert warm.await_result(5 * LONG).coordinates.shape == (150, 2)
    pid = worker.child_pid
    job = worker.request_projection(many, UMAP(seed=1))
    wait(lambda: job.progress > 0.42)
    job.cancel()
    assert worker.request_projection(points, PCA()).await_result(LONG)
    assert worker.child_pid == pid

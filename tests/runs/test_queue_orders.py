"""Whatever the order of clicks, crashes and servers: few run, each state is true, each file is whole."""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule, run_state_machine_as_test
from runs.conftest import ALICE, BOB, PROGRAM, free

from latentlab.errors import UserError
from latentlab.runs import RUN_STATES, Runs, process
from latentlab.runs.run import read_child

LIMIT = 2
OWNERS = st.sampled_from([ALICE, BOB])
NEXT = {  # what may follow a state that is not left by a click
    "running": {"running", "stopped", "finished", "failed", "interrupted"},
    "queued": {"queued", "running", "stopped", "finished", "failed", "interrupted"},
}


class Orders(RuleBasedStateMachine):
    runs = Bundle("runs")

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="runs-"))
        self.views = [self.view(), self.view()]
        self.states: dict[str, str] = {}
        self.owners: dict[str, str] = {}

    def view(self) -> Runs:
        return Runs(self.folder, limit=LIMIT, limits=free(), program=(sys.executable, str(PROGRAM)))

    @rule(target=runs, owner=OWNERS, steps=st.sampled_from([1, 20, 10**6]), die=st.sampled_from(["", "raise", "oom"]))
    def start(self, owner: str, steps: int, die: str) -> str:
        waiting = sum(run.state == "queued" for run in self.views[0].list_runs(owner))
        if waiting >= self.views[0].limits.waiting:
            return ""
        id = self.views[0].submit_run("train", {"steps": steps, "die": die}, "", owner).id
        self.owners[id] = owner
        return id

    @rule(id=runs, view=st.integers(0, 1), save=st.booleans(), twice=st.booleans())
    def stop(self, id: str, view: int, save: bool, twice: bool) -> None:
        if id in self.owners:
            for _ in range(1 + twice):
                self.views[view].stop_run(id, self.owners[id], save)
            self.states.pop(id, None)

    @rule(id=runs, view=st.integers(0, 1))
    def resume(self, id: str, view: int) -> None:
        if id in self.owners:
            before = self.views[view].find_run(id, self.owners[id])
            if before.state == "finished":
                with pytest.raises(UserError):
                    self.views[view].resume_run(id, self.owners[id])
            with suppress(UserError):
                self.views[view].resume_run(id, self.owners[id])
            self.states.pop(id, None)

    @rule(id=consumes(runs), view=st.integers(0, 1))
    def delete(self, id: str, view: int) -> None:
        if id in self.owners:
            try:
                self.views[view].delete_run(id, self.owners[id])
            except UserError:
                return
            assert not (self.folder / id).exists()
            del self.owners[id]

    @rule(id=runs)
    def crash(self, id: str) -> None:
        child = read_child(self.folder / id) if id in self.owners else None
        if child and process.is_process_alive(child):
            with suppress(ProcessLookupError):
                os.kill(child.pid, signal.SIGKILL)

    @rule(view=st.integers(0, 1))
    def restart_the_server(self, view: int) -> None:
        self.views[view]._supervisor.reap_children()
        self.views[view] = self.view()

    @rule(seconds=st.sampled_from([0.0, 0.05, 0.3]))
    def pass_the_time(self, seconds: float) -> None:
        time.sleep(seconds)

    @rule(id=runs)
    def meddle(self, id: str) -> None:
        if id in self.owners:
            stranger = BOB if self.owners[id] == ALICE else ALICE
            for verb in (
                self.views[0].find_run,
                self.views[0].stop_run,
                self.views[0].resume_run,
                self.views[0].delete_run,
            ):
                with pytest.raises(UserError):
                    verb(id, stranger)

    @invariant()
    def few_run(self) -> None:
        children = [read_child(path.parent) for path in self.folder.glob("*/child.json")]
        assert sum(process.is_process_alive(child) for child in children if child) <= LIMIT

    @invariant()
    def everything_said_is_true(self) -> None:
        for owner in (ALICE, BOB):
            seen = self.views[0].list_runs(owner)
            assert {run.id for run in seen} == {id for id, whose in self.owners.items() if whose == owner}
            for run in seen:
                before = self.states.get(run.id)
                assert run.state in RUN_STATES
                assert before is None or run.state in NEXT.get(before, {before, "interrupted", "failed"})
                assert (run.position > 0) == (run.state == "queued")
                assert run.is_active or run.state == "finished" or run.cause
                self.states[run.id] = run.state
        waiting = sorted(run.position for run in self.views[1]._list_all("") if run.position)
        assert waiting == list(range(1, len(waiting) + 1))

    @invariant()
    def files_are_whole(self) -> None:
        for id in self.owners:
            assert json.loads((self.folder / id / "config.json").read_text())["config"]
            for name in ("child.json", "ending.json", "resume.safetensors", "run.safetensors"):
                with suppress(FileNotFoundError):
                    json.loads((self.folder / id / name).read_text())
        assert not list(self.folder.glob(".new-*"))

    def teardown(self) -> None:
        """All that are asked to stop come to rest."""
        for id, owner in self.owners.items():
            self.views[0].stop_run(id, owner)
        deadline = time.monotonic() + 30
        while any(run.is_active for owner in (ALICE, BOB) for run in self.views[0].list_runs(owner)):
            assert time.monotonic() < deadline, "a run does not come to rest"
            time.sleep(0.02)
            for id, owner in self.owners.items():  # one may have been on its way from the queue
                self.views[0].stop_run(id, owner)
        for view in self.views:
            view._supervisor.reap_children()


@pytest.mark.slow
def test_any_order_of_clicks_crashes_and_servers() -> None:
    run_state_machine_as_test(
        Orders,
        settings=settings(
            max_examples=8,
            stateful_step_count=20,
            deadline=None,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
        ),
    )

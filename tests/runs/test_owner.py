"""One sees, changes and fills no more than one's own; and nothing outside the folder."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from runs.conftest import ALICE, BOB, state

from latentlab.errors import UserError
from latentlab.runs import Runs, files, layout, make_token
from latentlab.runs.owner import derive_owner


def test_another_owner_sees_and_changes_nothing(hire: Callable[..., Runs], begun: Any) -> None:
    runs = hire()
    id = begun(runs)
    assert [run.id for run in runs.list_runs(ALICE)] == [id]
    assert runs.list_runs(BOB) == []
    for verb in (
        runs.find_run,
        runs.stop_run,
        runs.resume_run,
        runs.delete_run,
        runs.read_events,
        runs.read_log,
        runs.find_folder,
    ):
        with pytest.raises(UserError) as foreign:
            verb(id, BOB)
        with pytest.raises(UserError) as unknown:
            verb("20200101-000000-abcdef", BOB)
        assert str(foreign.value) == str(unknown.value).replace("20200101-000000-abcdef", id)
    assert state(runs, id) == "running"
    assert ALICE not in "".join(path.read_text() for path in (runs.path / id).glob("*.json"))


def test_a_token_is_long_and_never_the_same() -> None:
    assert len({make_token() for _ in range(100)}) == 100
    assert derive_owner(make_token())
    for junk in (None, "", "short", 7, ["x" * 30], "x" * 1000):
        with pytest.raises(UserError):
            derive_owner(junk)


def test_one_made_by_hand_is_seen_by_all_and_changed_by_none(hire: Callable[..., Runs]) -> None:
    runs = hire()
    made = runs.path / "20200101-000000-abcdef"
    made.mkdir()
    files.write_atomically(
        made / layout.CONFIG_FILE, json.dumps({"verb": "train", "name": "mine", "owner": "", "config": {}})
    )
    assert [run.mine for run in runs.list_runs(BOB)] == [False]
    for verb in (runs.stop_run, runs.resume_run, runs.delete_run):
        with pytest.raises(UserError, match="by hand"):
            verb(made.name, BOB)


@pytest.mark.parametrize("id", ["..", "../x", "", ".", "a/b", "20200101-000000-abcde\x00", "x" * 10_000])
def test_a_name_that_is_no_id_is_refused(hire: Callable[..., Runs], id: Any) -> None:
    runs = hire()
    for verb in (runs.find_run, runs.stop_run, runs.delete_run, runs.read_events):
        with pytest.raises(UserError):
            verb(id, ALICE)


def test_a_link_is_no_run(hire: Callable[..., Runs], wait: Any, tmp_path: Path) -> None:
    runs = hire()
    id = runs.submit_run("train", {"steps": 1}, "", ALICE).id
    wait(lambda: state(runs, id) == "finished")
    elsewhere = (runs.path / id).rename(tmp_path / "elsewhere")
    (runs.path / id).symlink_to(elsewhere)
    assert runs.list_runs(ALICE) == []
    with pytest.raises(UserError):
        runs.delete_run(id, ALICE)
    assert (elsewhere / "config.json").exists()


def test_only_what_rests_is_deleted(hire: Callable[..., Runs], wait: Any, begun: Any) -> None:
    runs = hire()
    id = begun(runs)
    with pytest.raises(UserError, match="stop it first"):
        runs.delete_run(id, ALICE)
    runs.stop_run(id, ALICE)
    wait(lambda: state(runs, id) == "stopped")
    runs.delete_run(id, ALICE)
    assert [path.name for path in runs.path.iterdir()] == [".lock"]


def test_a_queue_has_its_length(hire: Callable[..., Runs], begun: Any) -> None:
    runs = hire(limit=1)
    begun(runs)
    for _ in range(8):
        runs.submit_run("train", {"steps": 1}, "", ALICE)
    with pytest.raises(UserError, match="waiting"):
        runs.submit_run("train", {"steps": 1}, "", ALICE)
    runs.submit_run("train", {"steps": 1}, "", BOB)


def test_a_clock_that_jumps_back_moves_nobody_in_the_queue(
    hire: Callable[..., Runs], begun: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = hire(limit=1)
    begun(runs)
    first = runs.submit_run("train", {"steps": 1}, "", ALICE)
    monkeypatch.setattr(layout, "make_run_id", lambda: "20010101-000000-000000")
    second = runs.submit_run("train", {"steps": 1}, "", ALICE)
    assert (first.position, second.position) == (1, 2)

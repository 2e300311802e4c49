"""A disk that refuses is one line, whoever meets it; what it refuses once is tried again."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from latentlab.cli import main
from latentlab.disk import RETRY_SECONDS, TRANSIENT, explain_disk_errors, retry_once
from latentlab.errors import UserError

FULL = """
import resource, signal
from latentlab.cli import main
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
raise SystemExit(main({argv!r}))
"""


def run_with_small_files(*argv: str) -> subprocess.CompletedProcess[str]:
    """Run a verb in a process in which no file may become larger than 2,000 bytes."""
    return subprocess.run([sys.executable, "-c", FULL.format(argv=list(argv))], capture_output=True, text=True)


@pytest.mark.skipif(os.name == "nt", reason="no limits of file sizes")
@pytest.mark.parametrize(
    "argv",
    [
        ("fit", "vae", "--data", "digits", "--steps", "2", "--out", "{}/x.safetensors"),
        ("project", "digits-vae", "--method", "pca", "--count", "200", "--out", "{}/points.csv"),
        ("train", "--data", "digits", "--steps", "2", "--out", "{}/y.safetensors"),
    ],
    ids=lambda argv: argv[0],
)
def test_a_file_that_cannot_grow_ends_a_verb_in_one_line(tmp_path: Path, argv: tuple[str, ...]) -> None:
    kept = tmp_path / "kept"
    kept.write_text("what was there")
    ended = run_with_small_files(*(word.format(tmp_path) for word in argv))
    assert ended.returncode == 2, ended.stderr
    assert "Traceback" not in ended.stderr
    assert "File too large" in ended.stderr
    assert kept.read_text() == "what was there"
    assert not list(tmp_path.glob("*.part"))


def test_a_folder_that_is_a_file_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    assert (
        main(["fit", "vae", "--data", "digits", "--steps", "1", "--out", str(tmp_path / "file" / "x.safetensors")]) == 2
    )
    assert str(tmp_path / "file") in capsys.readouterr().err


def test_what_is_no_matter_of_disks_stays_what_it_is() -> None:
    with pytest.raises(ConnectionRefusedError), explain_disk_errors():
        raise ConnectionRefusedError(errno.ECONNREFUSED, "nobody there")


@pytest.mark.parametrize("code", [*TRANSIENT, errno.ENOSPC])
def test_only_what_passes_is_tried_again_and_only_once(code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr("time.sleep", waits.append)
    tries: list[int] = []

    def fail_first() -> str:
        tries.append(1)
        if len(tries) == 1:
            raise OSError(code, "fails")
        return "written"

    if code in TRANSIENT:
        assert retry_once(fail_first) == "written"
        assert waits == [RETRY_SECONDS]
    else:
        with pytest.raises(UserError, match="Make room"), explain_disk_errors():
            retry_once(fail_first)
        assert waits == []

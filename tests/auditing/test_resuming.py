"""An audit that was killed goes on to the same bytes, whatever it had already told."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile

import pytest
from auditing.digits_case import CONFIG

from latentlab import datasets, images
from latentlab.auditing import audit_moves
from latentlab.auditing.image_source import load_audited_world, open_images
from latentlab.auditing.report_files import write_report_files
from latentlab.auditing.result import read_result
from latentlab.errors import UserError


def write_files(folder, events):
    folder.mkdir()
    result = read_result(json.loads(json.dumps(events)))  # as they are read from the disk
    write_report_files(folder, result, open_images("test", load_audited_world("digits", result.classes)))
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("told", [2, 4, 9, -5])
def test_the_files_are_the_same_bytes(store, events, tmp_path, told):
    """It begins again after its cost, after two chunks, in the midst of the search for a limit, of the directions."""
    again = list(audit_moves(CONFIG, store, json.loads(json.dumps(events[:told]))))
    assert [event["event"] for event in again[:2]] == ["begin", events[told]["event"]]
    assert again[0]["step"] == events[told - 1]["step"]
    whole, resumed = write_files(tmp_path / "whole", events), write_files(tmp_path / "resumed", events[:told] + again)
    assert resumed == whole


def test_another_audit_gives_the_same_numbers_but_for_the_seconds(store, events, tmp_path):
    def strip(files):
        told = json.loads(files["audit.json"])
        return files["audit.csv"], {name: value for name, value in told.items() if name != "cost"}

    again = list(audit_moves(CONFIG, store))
    assert strip(write_files(tmp_path / "one", events)) == strip(write_files(tmp_path / "two", again))


def test_other_networks_are_refused(store, events):
    begin = {**events[0], "digests": {"digits-resnet": "0" * 16}}
    with pytest.raises(UserError, match="have changed since this audit began; begin another"):
        next(audit_moves(CONFIG, store, [begin, *events[1:4]]))


def test_a_request_to_stop_is_heard_between_chunks(store):
    asked = iter(["", "stop"])
    *_, last = audit_moves(CONFIG, store, asked=lambda: next(asked))
    assert (last["event"], last["state"]) == ("end", "stopped")


def test_the_report_opens_alone(events, tmp_path):
    page = write_files(tmp_path / "files", events)["report.html"].decode()
    assert len(page) < 20_000_000
    own = re.sub(r"<script>.*?</script>", "", page, flags=re.S)
    assert not re.search(r"""(src|href)=(?!["']data:)""", own)
    assert own.count("<h2><i") == 2
    assert page.count("plotly.js v") == 1


def test_the_broken_images_can_be_taken_away(events, tmp_path):
    """Every image whose label is lost is in the table and as it was; moved those whose pictures were kept."""
    result = read_result(json.loads(json.dumps(events)))
    files = write_files(tmp_path / "files", events)
    with zipfile.ZipFile(io.BytesIO(files["broken.zip"])) as archive:
        lines = list(csv.DictReader(io.StringIO(archive.read("broken.csv").decode())))
        names = set(archive.namelist())
        pictures = {name: images.read(archive.read(name)) for name in names if name.endswith(".png")}
    assert len(lines) == sum(len(move.summary.broken) for move in result.moves) > 0
    world = datasets.load_world("digits")
    for line in lines:
        row = int(line["row"])
        assert line["label"] != line["judge"]
        original = images.fit_to(pictures[line["original"]], world.image_shape)
        assert images.png(original) == images.png(world.test.take_batch([row])[0][0])
        assert line["moved"] in names
    assert names == {"broken.csv"} | {line[which] for line in lines for which in ("original", "moved")}

"""Every operator over HTTP, and what junk gets for an answer."""

from __future__ import annotations

import io
import json
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image
from repository import ROOT

from latentlab import images, recipe
from latentlab.knobs import list_settings
from latentlab.operators import OPERATORS as TOOLS
from latentlab.session import Workspace
from latentlab.ui.form import to_widget_value

OPERATORS = ("noise", "shift", "adversary", "mix", "swap")
KEPT = ("parameter_name", "parameter_has_default", "parameter_default", "type", "component")


@pytest.fixture(scope="module")
def client(served: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    client = Client(served, download_files=str(tmp_path_factory.mktemp("got")), verbose=False)
    yield client
    client.close()


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    folder, rng = tmp_path_factory.mktemp("sent"), np.random.default_rng(0)
    for name in ("a", "b"):
        Image.fromarray(rng.integers(0, 256, (40, 60, 3), dtype=np.uint8)).save(folder / f"{name}.png")
    return handle_file(folder / "a.png"), handle_file(folder / "b.png")


def ask(client: Client, name: str, pictures: tuple[Any, Any], **knobs: Any) -> tuple[Path, dict[str, Any]]:
    partner = {"partner_image": pictures[1]} if name in ("mix", "swap") else {}
    picture, numbers = client.predict(image=pictures[0], **partner, **knobs, api_name=f"/{name}")
    return Path(picture), numbers


@pytest.mark.parametrize("name", OPERATORS)
def test_an_operator_gives_a_picture_numbers_and_a_recipe_that_repeats_it(
    client: Client, pictures: tuple[Any, Any], name: str
) -> None:
    knobs = {"parts": ["coarse", "fine"]} if name in ("noise", "swap") else {}
    picture, numbers = ask(client, name, pictures, model="digits-glow", seed=3, **knobs)
    assert Image.open(picture).size == (32, 32)
    assert math.isclose(sum(numbers["probabilities"][1]), 1, abs_tol=1e-5)
    text = images.read_png_recipe(picture.read_bytes())
    assert text == numbers["recipe"]
    made = recipe.parse_recipe(numbers["recipe"])
    assert (made.operator, made.model, made.seed) == (name, "digits-glow", 3)
    again, _ = ask(client, name, pictures, model="digits-glow", seed=3, **knobs)
    assert again.read_bytes() == picture.read_bytes()


def test_the_endpoints_and_their_arguments(client: Client) -> None:
    named = client.view_api(return_format="dict")["named_endpoints"]
    assert set(named) == {f"/{name}" for name in OPERATORS}
    for name in OPERATORS:
        pictures = ["image", "partner_image"] if name in ("mix", "swap") else ["image"]
        knobs = [setting.name for setting in list_settings(TOOLS[name])]
        described = [parameter["parameter_name"] for parameter in named[f"/{name}"]["parameters"]]
        assert described == [*pictures, "model", "classifier", "seed", *knobs]


@pytest.mark.parametrize(
    ("knobs", "line"),
    [
        ({"epsilon": True}, "epsilon is True"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": 1.5}, "seed is 1.5"),
        ({"model": "../../etc/passwd"}, "There is no network"),
        ({"model": "digits-resnet"}, "no latent model"),
        ({"classifier": "nobody"}, "There is no network"),
    ],
)
def test_a_bad_value_is_one_clear_line(
    client: Client, pictures: tuple[Any, Any], knobs: dict[str, Any], line: str
) -> None:
    with pytest.raises(AppError, match=line.replace(".", r"\.")) as error:
        ask(client, "noise", pictures, **knobs)
    assert "\n" not in str(error.value).strip()


@pytest.mark.parametrize("name", OPERATORS)
@pytest.mark.parametrize("value", ["NaN", "Infinity", "1e999", "true", "null", '"7"', "[]"])
def test_no_number_is_one_clear_line_in_every_field(served: str, name: str, value: str) -> None:
    knobs = list_settings(TOOLS[name])
    numbers = [None, *(place for place, setting in enumerate(knobs) if setting.type in (int, float))]
    with httpx.Client(base_url=served, timeout=20) as http:
        for place in numbers:
            path = http.post("gradio_api/upload", files={"files": ("a.png", png(), "image/png")}).json()[0]
            file = {"path": path, "meta": {"_type": "gradio.FileData"}}
            pictures = [file, file] if name in ("mix", "swap") else [file]
            values = [*pictures, "digits-glow", "", 0, *(to_widget_value(setting.default) for setting in knobs)]
            at = len(pictures) + 2 if place is None else len(pictures) + 3 + place
            values[at] = "HERE"
            body = json.dumps({"data": values}).replace('"HERE"', value)
            posted = http.post(f"gradio_api/call/{name}", content=body, headers={"content-type": "application/json"})
            if posted.status_code != 200:
                continue  # the server's reader of JSON has refused it
            answer = http.get(f"gradio_api/call/{name}/{posted.json()['event_id']}").text
            line = json.loads(answer.partition("data: ")[2])
            assert line["error"].count("must be") == 1, (name, place, line)
            assert "\n" not in line["error"]


def png() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, "PNG")
    return file.getvalue()


def test_a_file_that_is_no_picture_is_one_clear_line(client: Client, tmp_path: Path) -> None:
    (tmp_path / "words.png").write_bytes(b"words")
    with pytest.raises(AppError, match="not a picture"):
        client.predict(image=handle_file(tmp_path / "words.png"), api_name="/noise")
    with pytest.raises(AppError, match="There is no image"):
        client.predict(image=None, api_name="/noise")


def test_a_path_of_the_server_is_not_read(served: str) -> None:
    """A file that was not uploaded stays unread, whatever the client calls its path."""
    sent = {"data": [{"path": str(ROOT / "assets" / "page.css"), "meta": {"_type": "gradio.FileData"}}]}
    with httpx.Client(base_url=served, timeout=20) as http:
        event = http.post("gradio_api/call/noise", json=sent).json()["event_id"]
        answer = http.get(f"gradio_api/call/noise/{event}").text
    assert "error" in answer
    assert "Traceback" not in answer


def test_private_endpoints_answer_junk_without_a_trace(served: str) -> None:
    """Every function by its number, with arguments of the wrong kind and count: no traceback, and the page lives on."""
    junk: list[list[Any]] = [[], [None] * 40, [{"a": [1]}] * 12, ["x" * 10_000] * 12, [1e308] * 20]
    with httpx.Client(base_url=served, timeout=30) as http:
        config = http.get("config").json()
        for number in [dependency["id"] for dependency in config["dependencies"]]:
            for data in junk:
                answer = http.post(
                    "gradio_api/queue/join",
                    json={"data": data, "fn_index": number, "session_hash": "junk", "event_data": data},
                )
                assert "Traceback" not in answer.text
        assert http.get("config").status_code == 200


def test_the_picture_that_comes_back_is_a_png_of_what_was_classified(
    client: Client, pictures: tuple[Any, Any], workspace: Workspace
) -> None:
    picture, numbers = ask(client, "noise", pictures, model="digits-vae", epsilon=2.0)
    shown = images.fit_to(images.read(io.BytesIO(picture.read_bytes()).getvalue()), (3, 32, 32))
    reading = workspace.predict_picture("digits", "digits-resnet", shown[None])
    assert numbers["probabilities"][1] == pytest.approx(reading.probabilities, abs=1e-6)


def test_an_event_that_shows_no_progress_marks_no_component(client: Client) -> None:
    """Gradio's script looks each marked component up in the whole page at each message of each event."""
    hidden = [event for event in client.config["dependencies"] if event["show_progress"] == "hidden"]
    assert len(hidden) > 40
    assert all(event["show_progress_on"] == [] for event in hidden)


def test_the_endpoints_are_those_of_before(client: Client) -> None:
    """Names, arguments, their types, defaults and what comes back: programs out there call them."""
    path = ROOT / "tests" / "golden" / "files" / "endpoints.json"
    named = client.view_api(return_format="dict")["named_endpoints"]
    told = {name: [{k: p.get(k) for k in KEPT} for p in point["parameters"]] for name, point in named.items()}
    if os.environ.get("WRITE_GOLDEN") == "1":
        path.write_text(json.dumps(told, indent=1, ensure_ascii=False, sort_keys=True) + "\n", "utf-8")
    assert json.loads(json.dumps(told)) == json.loads(path.read_text("utf-8"))

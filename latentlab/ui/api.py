"""Each operator as an HTTP endpoint under its own name: a picture in, knobs as keywords, a picture and numbers out."""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr
from PIL import Image

from latentlab import images
from latentlab import session as verbs
from latentlab.errors import UserError
from latentlab.knobs import tool_from_json
from latentlab.operators import OPERATORS, LatentOperator
from latentlab.session import SEED_SETTING, Session, Workspace
from latentlab.ui.compute_turns import PROCESSOR_TURNS
from latentlab.ui.events import TORCH_LANE
from latentlab.ui.form import Form, to_knob_value
from latentlab.ui.gradio_patches.unread_inputs import FileDrop


def add_endpoints(workspace: Workspace) -> None:
    """Add an endpoint for each operator; unseen widgets carry the arguments, so that their labels and bounds are the
    documentation.
    """
    with gr.Row(visible=False):
        picture, partner = (
            FileDrop(label="the picture, of any size; its middle is taken"),
            FileDrop(label="the picture to mix with"),
        )
        drawing = workspace.rank_drawing_models(workspace.first_world)
        model = gr.Textbox(drawing[0] if drawing else "", label="latent model, by its name in the store")
        classifier = gr.Textbox("", label="classifier, by its name in the store; empty: the first of the world")
        seed = gr.Number(0, label="seed of every random draw")
        moved = gr.Image(label="the moved picture, exact, with its recipe inside", format="png")
        numbers = gr.JSON(label="distance, PSNR, bits per dimension and probabilities before and after, and the recipe")
        for name, cls in OPERATORS.items():
            form, button = Form(cls, prefix=f"api-{name}"), gr.Button()
            pictures = {"image": picture, **({"partner_image": partner} if cls.needs_partner else {})}
            button.click(
                name_function(PROCESSOR_TURNS.wrap_short(make_endpoint(workspace, cls)), name),
                inputs_kwargs={**pictures, "model": model, "classifier": classifier, "seed": seed, **form.widgets},
                outputs=[moved, numbers],
                api_name=name,
                api_description=flatten_docstring(cls),
                **TORCH_LANE,
            )


def name_function(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    """Give the function its operator's name, by which assistants call it (MCP)."""
    function.__name__ = name
    return function


def flatten_docstring(cls: type) -> str:
    """Return the docstring of a tool's class in one line."""
    return " ".join((cls.__doc__ or "").split())


def make_endpoint(workspace: Workspace, cls: type[LatentOperator]) -> Callable[..., tuple[Image.Image, dict[str, Any]]]:
    """Make the function behind one operator's endpoint."""

    def answer_request(
        image: str | None,
        model: str | None,
        classifier: str | None,
        seed: Any,
        partner_image: str | None = None,
        **knobs: Any,
    ):
        try:
            tool = tool_from_json(cls, {name: to_knob_value(value) for name, value in knobs.items()})
            pictures = [read_sent_picture(image, "image")]
            if cls.needs_partner:
                pictures.append(read_sent_picture(partner_image, "partner_image"))
            session = verbs.move_once(
                workspace,
                pictures,
                (model or "").strip(),
                (classifier or "").strip(),
                SEED_SETTING.check_value(seed),
                tool,
            )
            return Image.open(io.BytesIO(verbs.export_png(workspace, session))), list_result_numbers(workspace, session)
        except UserError as error:
            raise gr.Error(str(error), print_exception=False) from error

    return answer_request


def read_sent_picture(path: str | None, name: str) -> Image.Image:
    """Read the picture that was sent under this name."""
    if path is None:
        raise UserError(f"There is no {name}; send a picture as {name}=handle_file(...).")
    return images.read(Path(path).read_bytes())


def list_result_numbers(workspace: Workspace, session: Session) -> dict[str, Any]:
    """Return what the page shows beside the pictures."""
    done, clean = session.result, workspace.rebuild_pictures(session.model, session.source.image)
    return {
        "distance": done.distance,
        "psnr_of_rebuilding": clean.psnr if math.isfinite(clean.psnr) else None,
        "bits_per_dimension": [session.before.bits, done.prediction.bits],
        "classes": list(session.classes),
        "probabilities": [list(session.before.probabilities), list(done.prediction.probabilities)],
        "label": list(done.label),
        "recipe": verbs.make_recipe(
            workspace, session
        ).to_json(),  # a text: Gradio takes an object with a "path" for a file
    }

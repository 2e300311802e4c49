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
from latentlab.knobs import from_json
from latentlab.operators import OPERATORS, Mix, Swap
from latentlab.session import SEED, Desk, Session
from latentlab.ui.form import Form, plain
from latentlab.ui.inputs import Drop
from latentlab.ui.wiring import QUEUE


def endpoints(desk: Desk) -> None:
    """Unseen widgets carry the arguments, so that their labels and bounds are the documentation."""
    with gr.Row(visible=False):
        picture, partner = (
            Drop(label="the picture, of any size; its middle is taken"),
            Drop(label="the picture to mix with"),
        )
        model = gr.Textbox(desk.drawing_model(desk.first_world), label="latent model, by its name in the store")
        classifier = gr.Textbox("", label="classifier, by its name in the store; empty: the first of the world")
        seed = gr.Number(0, label="seed of every random draw")
        moved = gr.Image(label="the moved picture, exact, with its recipe inside", format="png")
        numbers = gr.JSON(label="distance, PSNR, bits per dimension and probabilities before and after, and the recipe")
        for name, cls in OPERATORS.items():
            form, button = Form(cls, prefix=f"api-{name}"), gr.Button()
            pictures = {"image": picture, **({"partner_image": partner} if cls in (Mix, Swap) else {})}
            knobs = {setting.name: widget for setting, widget in zip(form.settings, form.widgets, strict=True)}
            button.click(
                endpoint(desk, cls),
                inputs_kwargs={**pictures, "model": model, "classifier": classifier, "seed": seed, **knobs},
                outputs=[moved, numbers],
                api_name=name,
                api_description=describe(cls),
                **QUEUE,
            )


def describe(cls: type) -> str:
    return " ".join((cls.__doc__ or "").split())


def endpoint(desk: Desk, cls: type) -> Callable[..., tuple[Image.Image, dict[str, Any]]]:
    def run(
        image: str | None,
        model: str | None,
        classifier: str | None,
        seed: Any,
        partner_image: str | None = None,
        **knobs: Any,
    ):
        try:
            tool = from_json(cls, {name: plain(value) for name, value in knobs.items()})
            pictures = [read(image, "image")]
            if cls in (Mix, Swap):
                pictures.append(read(partner_image, "partner_image"))
            session = verbs.once(
                desk, pictures, (model or "").strip(), (classifier or "").strip(), SEED.check(seed), tool
            )
            return Image.open(io.BytesIO(verbs.png(desk, session))), numbers_of(desk, session)
        except UserError as error:
            raise gr.Error(str(error), print_exception=False) from error

    return run


def read(path: str | None, name: str) -> Image.Image:
    if path is None:
        raise UserError(f"There is no {name}; send a picture as {name}=handle_file(...).")
    return images.read(Path(path).read_bytes())


def numbers_of(desk: Desk, session: Session) -> dict[str, Any]:
    """What the page shows beside the pictures."""
    done, clean = session.result, desk.rebuilt(session.model, session.source.image)
    return {
        "distance": done.distance,
        "psnr_of_rebuilding": clean.psnr if math.isfinite(clean.psnr) else None,
        "bits_per_dimension": [session.before.bits, done.reading.bits],
        "classes": list(session.classes),
        "probabilities": [list(session.before.probabilities), list(done.reading.probabilities)],
        "label": list(done.label),
        "recipe": verbs.recipe_of(desk, session).to_json(),  # a text: Gradio takes an object with a "path" for a file
    }

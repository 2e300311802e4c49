"""A session as HTML: the pictures first, their two or three numbers beside them, the explanation on hover."""

from __future__ import annotations

import math
from collections.abc import Iterable

from torch import Tensor

from latentlab import session as verbs
from latentlab.images import ImageTensor
from latentlab.models import KINDS
from latentlab.session import REFINE_STEPS, Prediction, Reconstruction, Result, Session, Workspace
from latentlab.types import RefinableModel
from latentlab.ui.html import draw_image, draw_term, escape_text, join_html, spell_name, write_percent
from latentlab.ui.stage.second_reader import draw_second_reading

DIFFERENCE_GAIN = 8  # of the differences
MAX_CLASSES_SHOWN = 10  # classes shown
MAX_LABEL_LETTERS = 16  # letters of a class name
POOR_PSNR = 18.0  # dB: below, a rebuilding differs from its input at a glance

REFINE_HELP = (
    f"{REFINE_STEPS} steps of optimisation bring the encoding of this picture nearer to it. The encoder alone is what "
    "an augmentation would use in training."
)
UNDO_HELP = "The improved encoding is in use, in this space and for this picture. Go back to the encoder's own."
TERM_HELP = {
    "pinned": "The picture that is kept as the reference, set against the result.",
    "l2": "Euclidean distance over all pixels and channels, values in [0, 1].",
    "dB": "PSNR of the rebuilt image against the input: 20 dB is a rough likeness, 40 dB is hard to tell.",
    "bits/dim": "−log2 p(x) per pixel and channel under the world's flow. A rise says that the move leaves the data.",
    "label": "The class with the highest probability, before and after.",
}


def draw_stage(workspace: Workspace, session: Session) -> str:
    """Draw input, rebuilding, result, and both differences; what the networks say; what can be taken away."""
    source, done = session.source.image[0], session.result
    clean = session.refining.reconstruction if session.refining else verbs.rebuild_input(workspace, session)
    cards = [
        draw_card("input", source, session.source.origin),
        draw_card(
            "rebuilt",
            clean.image[0],
            describe_fidelity(workspace, session, clean),
            warn=clean.psnr < POOR_PSNR,
            raw=True,
        ),
        draw_card("result", done.image[0], done.tool.write_caption(), accent=True),
    ]
    differences = [
        draw_card(
            f"error × {DIFFERENCE_GAIN}",
            amplify_difference(clean.image[0], source),
            f"l2 {measure_rebuild_distance(clean, source):.2f}<br>|rebuilt − input|",
            raw=True,
        ),
        draw_card(
            f"change × {DIFFERENCE_GAIN}",
            amplify_difference(done.image[0], source),
            f"l2 {done.distance:.2f}<br>|result − input|",
            raw=True,
        ),
    ]
    bars = f"<div>{draw_class_bars(session, done)}{draw_second_reading(workspace, session, done)}</div>"
    readings = bars + draw_stage_numbers(session, clean)
    view = escape_text(verbs.make_link(session))
    apart = f'<div class="ll-differences">{join_html(differences)}</div>'
    pictures = f'<div class="ll-pictures" data-view="{view}">{join_html(cards)}{apart}</div>'
    return f'{pictures}<div class="ll-readings">{readings}</div>'


def draw_view_mark(session: Session) -> str:
    """Draw nothing that is seen: it says of which view its surroundings are, so that they can be marked when late."""
    return f'<span hidden data-of="{escape_text(verbs.make_link(session))}"></span>'


def draw_card(
    title: str, picture: ImageTensor, note: str, warn: bool = False, accent: bool = False, raw: bool = False
) -> str:
    """Draw one picture of the stage with its title and a note, which is HTML where `raw` is set."""
    marks = f"{' ll-warn' if warn else ''}{' ll-accent' if accent else ''}"
    said = note if raw else escape_text(note)
    return (
        f'<figure class="ll-card{marks}">{draw_image(picture, title)}'
        f"<figcaption><b>{escape_text(title)}</b><span>{said}</span></figcaption></figure>"
    )


def describe_fidelity(workspace: Workspace, session: Session, clean: Reconstruction) -> str:
    """Name the space and say how near it comes; where its encoding can be refined, say how far that is."""
    kind = draw_term(*describe_model(workspace, session.model))
    if session.refining:
        step = f"{session.refining.step} of {session.refining.steps}"
        stop = draw_action_button("halt", "Stop", "Give up and keep the encoding as it was.")
        return f"{clean.psnr:.1f} dB · step {step} {stop}"
    if session.model in session.refined:
        before = workspace.rebuild_pictures(session.model, session.source.image)
        words = f"{before.psnr:.1f} → {format_psnr(clean.psnr)}"
        return f"{words} {draw_action_button('undo', 'Undo', UNDO_HELP)}"
    plain = f"{kind} · {format_psnr(clean.psnr)}"
    model = workspace.store.load(session.model)
    return (
        f"{plain} {draw_action_button('refine', 'Refine', REFINE_HELP)}" if isinstance(model, RefinableModel) else plain
    )


def draw_action_button(act: str, word: str, meaning: str) -> str:
    """Draw a small button that tells the stage to act."""
    return f'<button class="ll-small" data-act="{act}" title="{escape_text(meaning)}">{word}</button>'


def measure_rebuild_distance(clean: Reconstruction, source: ImageTensor) -> float:
    """Return the l2 distance in image space from the source to its rebuilding."""
    return float((clean.image[0] - source).norm())


def amplify_difference(a: Tensor, b: Tensor) -> ImageTensor:
    """Return |a − b|, made larger by DIFFERENCE_GAIN and clamped to [0, 1]."""
    return ((a - b).abs() * DIFFERENCE_GAIN).clamp(0, 1)


def format_psnr(psnr: float) -> str:
    """Write a PSNR in dB, or that the rebuilding is exact."""
    return (
        draw_term("exact", "Equal in all 256 levels.")
        if math.isinf(psnr)
        else f"{psnr:.1f} {draw_term('dB', TERM_HELP['dB'])}"
    )


def describe_model(workspace: Workspace, model: str) -> tuple[str, str]:
    """Return what people call a model, and what it is; one that was brought goes by its own name."""
    kind = KINDS[workspace.store.card(model).kind]
    return kind.title or model, kind.meaning


def draw_class_bars(session: Session, done: Result) -> str:
    """Draw the probability of each class, before as an outline and after as a bar."""
    if not session.classes:
        return '<div class="ll-bars"><p class="ll-quiet">This world has no classifier.</p></div>'
    before, after = session.before.probabilities, done.prediction.probabilities
    order = sorted(range(len(before)), key=lambda k: -max(before[k], after[k]))[:MAX_CLASSES_SHOWN]
    shown = sorted(order) if len(before) > MAX_CLASSES_SHOWN else range(len(before))
    rows = join_html(
        draw_class_bar(session.classes[k], before[k], after[k], k == done.prediction.best_class) for k in shown
    )
    wide = max(len(spell_name(session.classes[k])) for k in shown)
    return (
        f'<div class="ll-bars" style="--ll-label:{min(wide, MAX_LABEL_LETTERS) * 0.62 + 0.4:.1f}em" role="group" '
        f'aria-label="class probabilities">{rows}</div>'
    )


def draw_class_bar(label: str, before: float, after: float, best: bool) -> str:
    return (
        f'<div class="ll-bar{" ll-best" if best else ""}"><span>{escape_text(spell_name(label))}</span>'
        f'<i><u style="width:{100 * before:.1f}%"></u><s style="width:{100 * after:.1f}%"></s></i>'
        f"<em>{write_percent(before)} → {write_percent(after)}</em></div>"
    )


def draw_stage_numbers(session: Session, clean: Reconstruction) -> str:
    """Draw the numbers beside the pictures: distance, bits per dimension, label, and what is pinned."""
    done = session.result
    lines = [
        (
            draw_term("distance", TERM_HELP["l2"]),
            f"{done.distance:.2f}",
            f"l2 in image space; rebuilding alone {measure_rebuild_distance(clean, session.source.image[0]):.2f}",
        ),
        (draw_term("bits/dim", TERM_HELP["bits/dim"]), *compare_bits(session.before, done.prediction)),
        (draw_term("label", TERM_HELP["label"]), *compare_labels(session, done)),
    ]
    if session.pinned:
        lines.append((draw_term("pinned", TERM_HELP["pinned"]), *compare_with_pin(session)))
    if clean.psnr < POOR_PSNR:
        lines.append(
            ("caution", "", "This model rebuilds the picture poorly; the result differs mostly for that reason.")
        )
    rows = join_html(
        f"<dt>{word}</dt><dd>{f'<b>{escape_text(value)}</b>' if value else ''}<span>{escape_text(note)}</span></dd>"
        for word, value, note in lines
    )
    return f'<dl class="ll-numbers">{rows}</dl>'


def compare_with_pin(session: Session) -> tuple[str, str]:
    """Say how far the result is from the reference, and what the classifier sees in that."""
    pinned = session.pinned
    assert pinned is not None
    apart = float((pinned.picture.image - session.result.image).norm())
    seen = pinned.prediction
    said = ""
    if session.classes and len(seen.probabilities) == len(session.classes):
        name, share = session.classes[seen.best_class], seen.probabilities[seen.best_class]
        said = f"; it reads {spell_name(name)} {write_percent(share)}"
    return f"{apart:.2f}", f"l2 to the result{said}"


def compare_bits(before: Prediction, after: Prediction) -> tuple[str, str]:
    """Write the bits per dimension before and after the move, and the difference."""
    if before.bits is None or after.bits is None:
        return "–", "this world has no flow"
    return f"{format_bits(before.bits)} → {format_bits(after.bits)}", f"{after.bits - before.bits:+.3g} under the flow"


def format_bits(bits: float) -> str:
    """Write bits per dimension; a flow may give astonishing numbers to what it has never seen."""
    return f"{bits:.2f}" if abs(bits) < 1000 else f"{bits:.0e}"


def compare_labels(session: Session, done: Result) -> tuple[str, str]:
    """Say whether the label is kept; of a mix, what its soft label is."""
    if not session.classes:
        return "–", "no classifier"
    start, end = (spell_name(session.classes[reading.best_class]) for reading in (session.before, done.prediction))
    if done.tool.mixes_labels:
        soft = ", ".join(
            f"{spell_name(session.classes[k])} {share:.2f}" for k, share in enumerate(done.label) if share > 0.005
        )
        return f"{start} → {end}", f"soft label: {soft}"
    return (f"{start}", "kept") if start == end else (f"{start} → {end}", "changed")


def shorten_model_name(workspace: Workspace, name: str, world: str) -> str:
    """Return the kind's own name for a model of this world, the store's name for one that was brought."""
    return describe_model(workspace, name)[0] if name.startswith(f"{world}-") else name


def draw_thumbnails(found: Iterable[verbs.Picture], chosen: verbs.Picture | None) -> str:
    """Draw pictures to choose from."""
    return join_html(
        f'<button class="ll-thumb" data-key="{place}" aria-pressed="{str(item is chosen).lower()}" '
        f'title="{escape_text(item.origin)}">{draw_image(item.image[0], item.origin)}</button>'
        for place, item in enumerate(found)
    )


def describe_result(session: Session, done: Result) -> str:
    """Say which class the classifier sees in a result; without a classifier, how far the result is."""
    if not session.classes:
        return f"l2 {done.distance:.1f}"
    seen = done.prediction
    return f"{write_percent(seen.probabilities[seen.best_class])} {spell_name(session.classes[seen.best_class])}"


def draw_status(workspace: Workspace, session: Session) -> str:
    """Draw the device and the time of the last picture."""
    device = {"cpu": "CPU", "cuda": "GPU"}[workspace.store.device.type]
    return (
        f'<span title="device, and the time of the last picture">{device} · <b>{session.milliseconds:.0f}</b> ms</span>'
    )


def draw_note(message: str) -> str:
    """Draw a message as one line, or several lines as a list."""
    lines = message.splitlines()
    if len(lines) < 2:
        return f'<p class="ll-note" role="alert">{escape_text(message)}</p>' if message else ""
    return f'<ul class="ll-note" role="alert">{join_html(f"<li>{escape_text(line)}</li>" for line in lines)}</ul>'

"""A session as HTML: the pictures first, their two or three numbers beside them, the explanation on hover."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterable

from torch import Tensor

from latentlab import session as verbs
from latentlab.images import Picture
from latentlab.operators import Adversary, Mix, Move, Noise, Shift, Swap
from latentlab.session import Desk, Reading, Rebuilt, Result, Session
from latentlab.ui.markup import image, joined, term, text

GAIN = 8  # of the differences
MANY = 10  # classes shown
WIDEST = 16  # letters of a class name
POOR = 18.0  # dB: below, a rebuilding differs from its input at a glance

KINDS = {
    "glow": ("Glow", "Glow, a normalizing flow: invertible, so it rebuilds every image exactly and knows its density."),
    "vae": ("MMD-VAE", "MMD-VAE: an autoencoder with one short code; it rebuilds the gist and blurs the rest."),
    "stylegan2": (
        "StyleGAN2",
        "StyleGAN2 in W+: one style vector a layer, coarse to fine; an encoder finds the image's.",
    ),
    "pixels": ("Pixels", "Pixels: the identity. The control for every move in a latent space."),
}
WORDS = {
    "l2": "Euclidean distance over all pixels and channels, values in [0, 1].",
    "dB": "PSNR of the rebuilt image against the input: 20 dB is a rough likeness, 40 dB is hard to tell.",
    "bits/dim": "−log2 p(x) per pixel and channel under the world's flow. A rise says that the move leaves the data.",
    "label": "The class with the highest probability, before and after.",
}


def stage(desk: Desk, session: Session) -> str:
    """Input, rebuilding, result, and both differences; what the networks say; what can be taken away."""
    source, done = session.source.image[0], session.result
    clean = desk.rebuilt(session.model, session.source.image)
    kind = kind_of(desk, session.model)
    cards = [
        card("input", source, session.source.origin),
        card(
            "rebuilt", clean.image[0], f"{term(*KINDS[kind])} · {decibel(clean.psnr)}", warn=clean.psnr < POOR, raw=True
        ),
        card("result", done.image[0], caption(done.tool), accent=True),
        card(f"error × {GAIN}", difference(clean.image[0], source), f"l2 {far(clean, source):.2f} · |rebuilt − input|"),
        card(f"change × {GAIN}", difference(done.image[0], source), f"l2 {done.distance:.2f} · |result − input|"),
    ]
    readings = bars(session, done) + numbers(session, clean)
    view = text(verbs.link(session))
    return f'<div class="ll-pictures" data-view="{view}">{joined(cards)}</div><div class="ll-readings">{readings}</div>'


def card(title: str, picture: Picture, note: str, warn: bool = False, accent: bool = False, raw: bool = False) -> str:
    marks = f"{' ll-warn' if warn else ''}{' ll-accent' if accent else ''}"
    said = note if raw else text(note)
    return (
        f'<figure class="ll-card{marks}">{image(picture, title)}'
        f"<figcaption><b>{text(title)}</b><span>{said}</span></figcaption></figure>"
    )


def far(clean: Rebuilt, source: Picture) -> float:
    return float((clean.image[0] - source).norm())


def difference(a: Tensor, b: Tensor) -> Picture:
    return ((a - b).abs() * GAIN).clamp(0, 1)


def decibel(psnr: float) -> str:
    return term("exact", "Equal in all 256 levels.") if math.isinf(psnr) else f"{psnr:.1f} {term('dB', WORDS['dB'])}"


def kind_of(desk: Desk, model: str) -> str:
    kind = desk.store.card(model).kind
    return kind if kind in KINDS else "pixels"


def caption(tool: Move) -> str:
    """What was done, in the tool's own words."""
    match tool:
        case Noise():
            return f"noise ε {tool.epsilon:g} σ"
        case Shift():
            return shifted(tool)
        case Mix():
            return f"mixed, λ {tool.lam:.2f}"
        case Swap():
            return f"{' + '.join(tool.parts)} swapped" + (f", {tool.steps} steps" if tool.steps else "")
        case Adversary():
            return f"attacked, ε {tool.epsilon:.3g}, {tool.steps} steps"
    return type(tool).__name__.lower()


def shifted(tool: Shift) -> str:
    if "*" not in tool.direction:
        return f"{name(tool.direction)} {tool.amount:+.1f} σ"
    terms = [term.partition("*") for term in tool.direction.split(" + ")]
    words = [f"{name(direction)} {float(factor):+.1f} σ" for factor, _, direction in terms[:2]]
    return ", ".join(words) + (f" and {len(terms) - 2} more" if len(terms) > 2 else "")


def name(word: str) -> str:
    """A class, an attribute or a direction as people write it."""
    return word.replace("_", " ")


def bars(session: Session, done: Result) -> str:
    """Probability of each class, before as an outline and after as a bar."""
    if not session.classes:
        return '<div class="ll-bars"><p class="ll-quiet">This world has no classifier.</p></div>'
    before, after = session.before.probabilities, done.reading.probabilities
    order = sorted(range(len(before)), key=lambda k: -max(before[k], after[k]))[:MANY]
    shown = sorted(order) if len(before) > MANY else range(len(before))
    rows = joined(bar(session.classes[k], before[k], after[k], k == done.reading.best) for k in shown)
    wide = max(len(name(session.classes[k])) for k in shown)
    return (
        f'<div class="ll-bars" style="--ll-label:{min(wide, WIDEST) * 0.62 + 0.4:.1f}em" role="group" '
        f'aria-label="class probabilities">{rows}</div>'
    )


def bar(label: str, before: float, after: float, best: bool) -> str:
    return (
        f'<div class="ll-bar{" ll-best" if best else ""}"><span>{text(name(label))}</span>'
        f'<i><u style="width:{100 * before:.1f}%"></u><s style="width:{100 * after:.1f}%"></s></i>'
        f"<em>{percent(before)} → {percent(after)}</em></div>"
    )


def percent(probability: float) -> str:
    return f"{100 * probability:.0f} %"


def numbers(session: Session, clean: Rebuilt) -> str:
    done = session.result
    lines = [
        (
            term("distance", WORDS["l2"]),
            f"{done.distance:.2f}",
            f"l2 in image space; rebuilding alone {far(clean, session.source.image[0]):.2f}",
        ),
        (term("bits/dim", WORDS["bits/dim"]), *bits(session.before, done.reading)),
        (term("label", WORDS["label"]), *kept(session, done)),
    ]
    if clean.psnr < POOR:
        lines.append(
            ("caution", "", "This model rebuilds the picture poorly; the result differs mostly for that reason.")
        )
    rows = joined(
        f"<dt>{word}</dt><dd>{f'<b>{text(value)}</b>' if value else ''}<span>{text(note)}</span></dd>"
        for word, value, note in lines
    )
    return f'<dl class="ll-numbers">{rows}</dl>'


def bits(before: Reading, after: Reading) -> tuple[str, str]:
    if before.bits is None or after.bits is None:
        return "–", "this world has no flow"
    return f"{density(before.bits)} → {density(after.bits)}", f"{after.bits - before.bits:+.3g} under the flow"


def density(bits: float) -> str:
    """A flow may give astonishing numbers to what it has never seen."""
    return f"{bits:.2f}" if abs(bits) < 1000 else f"{bits:.0e}"


def kept(session: Session, done: Result) -> tuple[str, str]:
    if not session.classes:
        return "–", "no classifier"
    start, end = (name(session.classes[reading.best]) for reading in (session.before, done.reading))
    if isinstance(done.tool, Mix):
        soft = ", ".join(
            f"{name(session.classes[k])} {share:.2f}" for k, share in enumerate(done.label) if share > 0.005
        )
        return f"{start} → {end}", f"soft label: {soft}"
    return (f"{start}", "kept") if start == end else (f"{start} → {end}", "changed")


def models(desk: Desk, session: Session) -> str:
    """The picture rebuilt by every model of the world, with the error of each; a click chooses the space."""
    return f'<div class="ll-models">{joined(model(desk, session, name) for name in session.rebuilt)}</div>'


def model(desk: Desk, session: Session, chosen: str) -> str:
    clean, (label, meaning) = session.rebuilt[chosen], KINDS[kind_of(desk, chosen)]
    if isinstance(clean, str):
        return f'<button class="ll-model" disabled><span><b>{text(chosen)}</b>{text(clean)}</span></button>'
    pictures = image(clean.image[0], f"rebuilt by {label}") + image(
        difference(clean.image[0], session.source.image[0]), f"error of {label} × {GAIN}"
    )
    bits = session.before.bits if kind_of(desk, chosen) == "glow" else None
    surprise = "" if bits is None else f"<br>{density(bits)} bits/dim"
    error = "exact" if math.isinf(clean.psnr) else f"{clean.psnr:.1f} dB"
    own = text(short(desk, chosen, session.world))
    return (
        f'<button class="ll-model" data-key="{text(chosen)}" aria-pressed="{str(chosen == session.model).lower()}" '
        f'title="{text(meaning)}">{pictures}<span><b>{own}</b>{error}{surprise}</span></button>'
    )


def short(desk: Desk, name: str, world: str) -> str:
    """The kind's own name for a model of this world, the store's name for one that was brought."""
    return KINDS[kind_of(desk, name)][0] if name.startswith(f"{world}-") else name


def slots(session: Session) -> str:
    """The picture and its partner; the one that is pressed is filled by the next choice."""
    return joined(
        f'<button class="ll-slot" data-key="{key}" aria-pressed="{str(session.filling == key).lower()}" '
        f'title="The next picture you choose goes here.">{image(found.image[0], key)}'
        f"<span><b>{key}</b>{text(found.origin)}</span></button>"
        for key, found in (("input", session.source), ("partner", session.partner))
    )


def thumbs(found: Iterable[verbs.Found], chosen: verbs.Found | None) -> str:
    """Pictures to choose from."""
    return joined(
        f'<button class="ll-thumb" data-key="{place}" aria-pressed="{str(item is chosen).lower()}" '
        f'title="{text(item.origin)}">{image(item.image[0], item.origin)}</button>'
        for place, item in enumerate(found)
    )


def seen(session: Session, done: Result) -> str:
    if not session.classes:
        return f"l2 {done.distance:.1f}"
    return f"{name(session.classes[done.reading.best])} {percent(done.reading.probabilities[done.reading.best])}"


def status(desk: Desk, session: Session) -> str:
    device = {"cpu": "CPU", "cuda": "GPU"}[desk.store.device.type]
    return (
        f'<span title="device, and the time of the last picture">{device} · <b>{session.milliseconds:.0f}</b> ms</span>'
    )


def away(desk: Desk, session: Session) -> str:
    """The result as a file: an exact PNG with its recipe inside; the view as an address; both as lines of Python."""
    data, file = base64.b64encode(verbs.png(desk, session)).decode(), text(verbs.file_name(session))
    lines = text(verbs.as_python(desk, session))
    return (
        f'<a class="ll-button" id="take-png" download="{file}" href="data:image/png;base64,{data}" '
        f'title="The result, exact, with its recipe inside: drop it on the page to come back here.">PNG with recipe</a>'
        f'<button class="ll-button" id="take-link" title="Copy the address of this view.">Link</button>'
        f'<button class="ll-button" id="take-python" title="The lines that make this result again.">Python</button>'
        f'<dialog aria-label="as Python"><p>These lines make this result again. They read <b>{file}</b> '
        f'(PNG with recipe) and the folder checkpoints.</p><pre tabindex="0">{lines}</pre>'
        f'<div class="ll-row"><button class="ll-button" data-act="copy">Copy</button>'
        f'<button class="ll-button" data-act="close">Close</button></div></dialog>'
    )


def past(session: Session) -> str:
    """The last views, the newest first; a click goes back to one."""
    now = verbs.current(session)
    return joined(
        f'<button class="ll-thumb" data-key="{moment.number}" aria-pressed="{str(moment is now).lower()}" '
        f'title="{text(told(moment))}">{image(moment.small[0], told(moment))}</button>'
        for moment in reversed(session.past)
    )


def told(moment: verbs.Moment) -> str:
    return f"{moment.model}: {caption(moment.tool)}"


def note(message: str) -> str:
    return f'<p class="ll-note" role="alert">{text(message)}</p>' if message else ""

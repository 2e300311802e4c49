"""A session as HTML: the pictures first, their two or three numbers beside them, the explanation on hover."""

from __future__ import annotations

import math
from collections.abc import Iterable

from torch import Tensor

from latentlab import session as verbs
from latentlab.images import Picture
from latentlab.operators import Adversary, Mix, Move, Noise, Shift, Swap
from latentlab.session import REFINE, Desk, Reading, Rebuilt, Result, Session
from latentlab.types import RefinableModel
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
REFINED = (
    f"{REFINE} steps of optimisation bring the encoding of this picture nearer to it. The encoder alone is what an "
    "augmentation would use in training."
)
UNDO = "The improved encoding is in use, in this space and for this picture. Go back to the encoder's own."
WORDS = {
    "pinned": "The picture that is kept as the reference, set against the result.",
    "l2": "Euclidean distance over all pixels and channels, values in [0, 1].",
    "dB": "PSNR of the rebuilt image against the input: 20 dB is a rough likeness, 40 dB is hard to tell.",
    "bits/dim": "−log2 p(x) per pixel and channel under the world's flow. A rise says that the move leaves the data.",
    "label": "The class with the highest probability, before and after.",
}


def stage(desk: Desk, session: Session) -> str:
    """Input, rebuilding, result, and both differences; what the networks say; what can be taken away."""
    source, done = session.source.image[0], session.result
    clean = session.refining.rebuilt if session.refining else verbs.clean(desk, session)
    cards = [
        card("input", source, session.source.origin),
        card("rebuilt", clean.image[0], fidelity(desk, session, clean), warn=clean.psnr < POOR, raw=True),
        card("result", done.image[0], caption(done.tool), accent=True),
    ]
    differences = [
        card(f"error × {GAIN}", difference(clean.image[0], source), f"l2 {far(clean, source):.2f} · |rebuilt − input|"),
        card(f"change × {GAIN}", difference(done.image[0], source), f"l2 {done.distance:.2f} · |result − input|"),
    ]
    readings = bars(session, done) + numbers(session, clean)
    view = text(verbs.link(session))
    return (
        f'<div class="ll-pictures" data-view="{view}">{joined(cards)}<div class="ll-differences">{joined(differences)}'
        f'</div></div><div class="ll-readings">{readings}</div>'
    )


def card(title: str, picture: Picture, note: str, warn: bool = False, accent: bool = False, raw: bool = False) -> str:
    marks = f"{' ll-warn' if warn else ''}{' ll-accent' if accent else ''}"
    said = note if raw else text(note)
    return (
        f'<figure class="ll-card{marks}">{image(picture, title)}'
        f"<figcaption><b>{text(title)}</b><span>{said}</span></figcaption></figure>"
    )


def fidelity(desk: Desk, session: Session, clean: Rebuilt) -> str:
    """The space and how near it comes; where its encoding can be refined, how far that is."""
    kind = term(*KINDS[kind_of(desk, session.model)])
    if session.refining:
        step = f"{session.refining.step} of {session.refining.steps}"
        return f"{clean.psnr:.1f} dB · step {step} {do('halt', 'Stop', 'Give up and keep the encoding as it was.')}"
    if session.model in session.refined:
        before = desk.rebuilt(session.model, session.source.image)
        words = f"{before.psnr:.1f} → {decibel(clean.psnr)}"
        return f"{words} {do('undo', 'Undo', UNDO)}"
    plain = f"{kind} · {decibel(clean.psnr)}"
    model = desk.store.load(session.model)
    return f"{plain} {do('refine', 'Refine', REFINED)}" if isinstance(model, RefinableModel) else plain


def do(act: str, word: str, meaning: str) -> str:
    return f'<button class="ll-small" data-act="{act}" title="{text(meaning)}">{word}</button>'


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
    if session.pinned:
        lines.append((term("pinned", WORDS["pinned"]), *against(session)))
    if clean.psnr < POOR:
        lines.append(
            ("caution", "", "This model rebuilds the picture poorly; the result differs mostly for that reason.")
        )
    rows = joined(
        f"<dt>{word}</dt><dd>{f'<b>{text(value)}</b>' if value else ''}<span>{text(note)}</span></dd>"
        for word, value, note in lines
    )
    return f'<dl class="ll-numbers">{rows}</dl>'


def against(session: Session) -> tuple[str, str]:
    """How far the result is from the reference, and what the classifier sees in that."""
    pinned = session.pinned
    assert pinned is not None
    apart = float((pinned.found.image - session.result.image).norm())
    seen = pinned.reading
    said = ""
    if session.classes and len(seen.probabilities) == len(session.classes):
        said = f"; it reads {name(session.classes[seen.best])} {percent(seen.probabilities[seen.best])}"
    return f"{apart:.2f}", f"l2 to the result{said}"


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


def short(desk: Desk, name: str, world: str) -> str:
    """The kind's own name for a model of this world, the store's name for one that was brought."""
    return KINDS[kind_of(desk, name)][0] if name.startswith(f"{world}-") else name


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
    return f"{percent(done.reading.probabilities[done.reading.best])} {name(session.classes[done.reading.best])}"


def status(desk: Desk, session: Session) -> str:
    device = {"cpu": "CPU", "cuda": "GPU"}[desk.store.device.type]
    return (
        f'<span title="device, and the time of the last picture">{device} · <b>{session.milliseconds:.0f}</b> ms</span>'
    )


def note(message: str) -> str:
    """One line, or several as a list."""
    lines = message.splitlines()
    if len(lines) < 2:
        return f'<p class="ll-note" role="alert">{text(message)}</p>' if message else ""
    return f'<ul class="ll-note" role="alert">{joined(f"<li>{text(line)}</li>" for line in lines)}</ul>'

"""Two paired sets as lines, costs and mixed pictures, random pairs beside them; and the grid of contents and styles."""

from __future__ import annotations

from collections.abc import Sequence

from latentlab.session import Found, Session
from latentlab.session.sets import Grid, Pairing, Pairings, Sight
from latentlab.ui.markup import image, joined, text
from latentlab.ui.show import name, percent

CELL = 22  # px of a cell of the cost matrix
TITLES = {"transport": "optimal transport", "hardest": "the hardest partner", "random": "random pairs"}


def pairings(session: Session, done: Pairings) -> str:
    """Both pairings side by side, and their totals in words."""
    return (
        f'<h3 class="ll-heading">two sets: {text(done.origin)}</h3>'
        f'<p class="ll-verdict">{text(verdict(done))}</p>{panels(session, done)}'
    )


def panels(session: Session, done: Pairings, plan: bool = True, mixes: bool = True) -> str:
    both = joined(panel(session, done, pairing, plan, mixes) for pairing in (done.ours, done.control))
    return f'<div class="ll-panels">{both}</div>'


def verdict(done: Pairings) -> str:
    """What the pairing saves, and which of its pairs share a class."""
    ours, control, count = done.ours, done.control, len(done.first)
    title = TITLES[ours.how].capitalize()
    classes = f"{ours.alike} of {count} pairs share a class; at random {control.alike}."
    if control.total == 0:
        return f"The random pairs are equal pictures: there is no distance to save. {classes}"
    return f"{title}: {percent(ours.total / control.total)} of the squared distance of the random pairs. {classes}"


def panel(session: Session, done: Pairings, pairing: Pairing, plan: bool, mixes: bool) -> str:
    tiles = joined(mixed(session, done, pairing, place) for place in range(len(done.first) if mixes else 0))
    return (
        f'<section class="ll-panel"><h4>{text(TITLES[pairing.how])}'
        f"<span>Σ |a − b|² = {pairing.total:,.4g} {done.unit}</span></h4>{drawn(done, pairing) if plan else ''}"
        f'<div class="ll-mixes">{tiles}</div></section>'
    )


def drawn(done: Pairings, pairing: Pairing) -> str:
    """The two sets, the lines between them, and the cost of every pair."""
    left = joined(stop(found, place) for place, found in enumerate(done.first))
    back = {there: here for here, there in enumerate(pairing.partner)}
    right = joined(stop(found, back[place]) for place, found in enumerate(done.second))
    return (
        f'<div class="ll-plan"><div>{left}</div>{lines(pairing.partner)}<div>{right}</div>{costs(done, pairing)}</div>'
    )


def stop(found: Found, pair: int) -> str:
    return (
        f'<button class="ll-stop" data-pair="{pair}" data-key="{text(found.name)}" '
        f'title="{text(found.origin)}: to the workbench">{image(found.image[0], found.origin)}</button>'
    )


def lines(partner: Sequence[int]) -> str:
    """A line a pair, from the row of the first to the row of the second."""
    count = len(partner)
    strokes = joined(
        f'<line data-pair="{here}" x1="0" x2="1" y1="{here + 0.5:g}" y2="{there + 0.5:g}"/>'
        for here, there in enumerate(partner)
    )
    frame = f'viewBox="0 0 1 {count}" style="--ll-rows:{count}" preserveAspectRatio="none"'
    return f'<svg class="ll-lines" {frame} role="img" aria-label="who is paired with whom">{strokes}</svg>'


def costs(done: Pairings, pairing: Pairing) -> str:
    """The squared distance of every pair, darker where it is farther; the chosen pairs are framed."""
    count, values = len(done.first), done.costs.tolist()
    low, span = float(done.costs.min()), float(done.costs.max() - done.costs.min()) or 1.0
    cells = joined(
        f'<rect x="{CELL * j}" y="{CELL * i}" width="{CELL}" height="{CELL}" '
        f'fill-opacity="{0.06 + 0.8 * (values[i][j] - low) / span:.2f}">'
        f"<title>{i + 1} to {j + 1}: {values[i][j]:.4g}</title></rect>"
        for i in range(count)
        for j in range(count)
    )
    frames = joined(
        f'<rect class="ll-chosen" data-pair="{i}" x="{CELL * j + 1.5}" y="{CELL * i + 1.5}" '
        f'width="{CELL - 3}" height="{CELL - 3}"/>'
        for i, j in enumerate(pairing.partner)
    )
    side = CELL * count
    return (
        f'<figure class="ll-costs"><svg viewBox="0 0 {side} {side}" role="img" '
        f'aria-label="squared distance of every pair">{cells}{frames}</svg>'
        f"<figcaption>|a − b|² of every pair: dark is far, framed is chosen</figcaption></figure>"
    )


def mixed(session: Session, done: Pairings, pairing: Pairing, place: int) -> str:
    """A mixed picture with its soft label; a click makes it the result."""
    there = pairing.partner[place]
    names = (done.first[place].name, done.second[there].name)
    label = pairing.labels[place].tolist()
    said = seen(session, pairing.seen[place]) if pairing.seen else ""
    return (
        f'<button class="ll-mixed" data-pair="{place}" data-key="{text("|".join((*names, repr(done.lam))))}" '
        f'title="{text(soft(session, label))}: to the workbench">{image(pairing.images[place], soft(session, label))}'
        f"{bar(session, label)}<span>{text(soft(session, label))}</span><small>{text(said)}</small></button>"
    )


def soft(session: Session, label: Sequence[float]) -> str:
    """The classes that have a share of the label, the larger first."""
    if not session.classes:
        return "no classes"
    shares = sorted((k for k, share in enumerate(label) if share > 0.005), key=lambda k: -label[k])
    if len(shares) == 1:
        return name(session.classes[shares[0]])
    return " + ".join(f"{label[k]:.2f}·{name(session.classes[k])}" for k in shares)


def bar(session: Session, label: Sequence[float]) -> str:
    """The soft label as a bar, a stretch a class."""
    stretches = joined(
        f'<i style="width:{100 * share:.1f}%" title="{text(f"{name(session.classes[k])} {share:.2f}")}"></i>'
        for k, share in sorted(enumerate(label), key=lambda item: -item[1])
        if session.classes and share > 0.005
    )
    return f'<span class="ll-soft">{stretches}</span>'


def seen(session: Session, sight: Sight) -> str:
    return f"seen {name(session.classes[sight.label])}, {percent(sight.probability)}"


def grid(session: Session, done: Grid, parts: Sequence[str]) -> str:
    """Rows give the content, columns the style; a picture whose class is no longer the row's is marked."""
    count = len(done.pictures)
    head = joined(f"<div>{stop(found, -1)}</div>" for found in done.pictures)
    rows = joined(
        f"<div>{stop(done.pictures[i], -1)}</div>" + joined(tile(session, done, i, j) for j in range(count))
        for i in range(count)
    )
    return (
        f'<h3 class="ll-heading">style grid: {text(done.origin)}; {text(" + ".join(parts))} of the column</h3>'
        f'<p class="ll-verdict">{text(preserved(done))}</p>'
        f'<div class="ll-grid-box"><div class="ll-grid" style="--ll-columns:{count}">'
        f'<div class="ll-corner"><span>style</span><span>content</span></div>{head}{rows}</div></div>'
    )


def preserved(done: Grid) -> str:
    """How often the swap leaves the class alone, the premise of RandMix and AdvMix."""
    if not done.seen:
        return "No classifier here says whether the swaps keep the label."
    count = len(done.own)
    swapped = [(i, j) for i in range(count) for j in range(count) if i != j]
    kept = sum(done.seen[i * count + j].label == done.own[i] for i, j in swapped)
    lost = sum(done.seen[i * count + i].label != done.own[i] for i in range(count))
    rebuilt = f", {lost} of them lost in rebuilding already" if lost else ""
    return (
        f"After the swap the classifier still sees the row's class in {kept} of {len(swapped)} pictures; "
        f"the others are underlined. On the diagonal are the {count} pictures with their own style{rebuilt}."
    )


def tile(session: Session, done: Grid, i: int, j: int) -> str:
    sight = done.seen[i * len(done.pictures) + j] if done.seen else None
    other = " ll-other" if sight and sight.label != done.own[i] else ""
    said = seen(session, sight) if sight else "swapped"
    key = f"{done.pictures[i].name}|{done.pictures[j].name}"
    return (
        f'<button class="ll-swapped{other}{" ll-own" if i == j else ""}" data-key="{text(key)}" '
        f'title="{text(said)}: to the workbench">{image(done.images[i * len(done.pictures) + j], said)}</button>'
    )

"""Two paired sets as lines, costs and mixed pictures, random pairs beside them; and the grid of contents and styles."""

from __future__ import annotations

from collections.abc import Sequence

from latentlab.session import Picture, Session
from latentlab.session.mixing import Pairing, PairingComparison, StyleGrid, TopClass
from latentlab.ui.html import draw_image, escape_text, join_html, spell_name, write_percent

COST_CELL = 22  # px of a cell of the cost matrix
PAIRING_TITLES = {"transport": "optimal transport", "hardest": "the hardest partner", "random": "random pairs"}


def draw_pairings(session: Session, done: PairingComparison) -> str:
    """Draw both pairings side by side, and say their totals in words."""
    return (
        f'<h3 class="ll-heading">two sets: {escape_text(done.origin)}</h3>'
        f'<p class="ll-verdict">{escape_text(write_pairing_verdict(done))}</p>{draw_pairing_panels(session, done)}'
    )


def draw_pairing_panels(session: Session, done: PairingComparison, plan: bool = True, mixes: bool = True) -> str:
    both = join_html(draw_pairing_panel(session, done, pairing, plan, mixes) for pairing in (done.ours, done.control))
    return f'<div class="ll-panels">{both}</div>'


def write_pairing_verdict(done: PairingComparison) -> str:
    """Say what the pairing saves, and which of its pairs share a class."""
    ours, control, count = done.ours, done.control, len(done.first)
    title = PAIRING_TITLES[ours.how].capitalize()
    classes = f"{ours.alike} of {count} pairs share a class; at random {control.alike}."
    if control.total == 0:
        return f"The random pairs are equal pictures: there is no distance to save. {classes}"
    return (
        f"{title}: {write_percent(ours.total / control.total)} of the squared distance of the random pairs. {classes}"
    )


def draw_pairing_panel(session: Session, done: PairingComparison, pairing: Pairing, plan: bool, mixes: bool) -> str:
    tiles = join_html(
        draw_mixed_picture(session, done, pairing, place) for place in range(len(done.first) if mixes else 0)
    )
    title = escape_text(PAIRING_TITLES[pairing.how])
    cost = f"<span>Σ |a − b|² = {pairing.total:,.4g} {done.unit}</span>"
    drawn = draw_pairing_plan(done, pairing) if plan else ""
    return f'<section class="ll-panel"><h4>{title}{cost}</h4>{drawn}<div class="ll-mixes">{tiles}</div></section>'


def draw_pairing_plan(done: PairingComparison, pairing: Pairing) -> str:
    """Draw the two sets, the lines between them, and the cost of every pair."""
    left = join_html(draw_set_picture(found, place) for place, found in enumerate(done.first))
    back = {there: here for here, there in enumerate(pairing.partner)}
    right = join_html(draw_set_picture(found, back[place]) for place, found in enumerate(done.second))
    sets = f"<div>{left}</div>{draw_pairing_lines(pairing.partner)}<div>{right}</div>"
    return f'<div class="ll-plan">{sets}{draw_cost_matrix(done, pairing)}</div>'


def draw_set_picture(found: Picture, pair: int) -> str:
    return (
        f'<button class="ll-stop" data-pair="{pair}" data-key="{escape_text(found.name)}" '
        f'title="{escape_text(found.origin)}: to the workbench">{draw_image(found.image[0], found.origin)}</button>'
    )


def draw_pairing_lines(partner: Sequence[int]) -> str:
    """Draw a line a pair, from the row of the first to the row of the second."""
    count = len(partner)
    strokes = join_html(
        f'<line data-pair="{here}" x1="0" x2="1" y1="{here + 0.5:g}" y2="{there + 0.5:g}"/>'
        for here, there in enumerate(partner)
    )
    frame = f'viewBox="0 0 1 {count}" style="--ll-rows:{count}" preserveAspectRatio="none"'
    return f'<svg class="ll-lines" {frame} role="img" aria-label="who is paired with whom">{strokes}</svg>'


def draw_cost_matrix(done: PairingComparison, pairing: Pairing) -> str:
    """Draw the squared distance of every pair, darker where it is farther; the chosen pairs are framed."""
    count, values = len(done.first), done.costs.tolist()
    low, span = float(done.costs.min()), float(done.costs.max() - done.costs.min()) or 1.0
    cells = join_html(
        f'<rect x="{COST_CELL * j}" y="{COST_CELL * i}" width="{COST_CELL}" height="{COST_CELL}" '
        f'fill-opacity="{0.06 + 0.8 * (values[i][j] - low) / span:.2f}">'
        f"<title>{i + 1} to {j + 1}: {values[i][j]:.4g}</title></rect>"
        for i in range(count)
        for j in range(count)
    )
    frames = join_html(
        f'<rect class="ll-chosen" data-pair="{i}" x="{COST_CELL * j + 1.5}" y="{COST_CELL * i + 1.5}" '
        f'width="{COST_CELL - 3}" height="{COST_CELL - 3}"/>'
        for i, j in enumerate(pairing.partner)
    )
    side = COST_CELL * count
    return (
        f'<figure class="ll-costs"><svg viewBox="0 0 {side} {side}" role="img" '
        f'aria-label="squared distance of every pair">{cells}{frames}</svg>'
        f"<figcaption>|a − b|² of every pair: dark is far, framed is chosen</figcaption></figure>"
    )


def draw_mixed_picture(session: Session, done: PairingComparison, pairing: Pairing, place: int) -> str:
    """Draw a mixed picture with its soft label; a click makes it the result."""
    there = pairing.partner[place]
    names = (done.first[place].name, done.second[there].name)
    label = pairing.labels[place].tolist()
    said = describe_seen_class(session, pairing.seen[place]) if pairing.seen else ""
    words, key = describe_soft_label(session, label), escape_text("|".join((*names, repr(done.lam))))
    picture, caption = draw_image(pairing.images[place], words), escape_text(words)
    return (
        f'<button class="ll-mixed" data-pair="{place}" data-key="{key}" title="{caption}: to the workbench">{picture}'
        f"{draw_soft_label_bar(session, label)}<span>{caption}</span><small>{escape_text(said)}</small></button>"
    )


def describe_soft_label(session: Session, label: Sequence[float]) -> str:
    """Name the classes that have a share of the label, the larger first."""
    if not session.classes:
        return "no classes"
    shares = sorted((k for k, share in enumerate(label) if share > 0.005), key=lambda k: -label[k])
    if len(shares) == 1:
        return spell_name(session.classes[shares[0]])
    return " + ".join(f"{label[k]:.2f}·{spell_name(session.classes[k])}" for k in shares)


def draw_soft_label_bar(session: Session, label: Sequence[float]) -> str:
    """Draw the soft label as a bar, a stretch a class."""
    stretches = join_html(
        _draw_label_stretch(f"{spell_name(session.classes[k])} {share:.2f}", share)
        for k, share in sorted(enumerate(label), key=lambda item: -item[1])
        if session.classes and share > 0.005
    )
    return f'<span class="ll-soft">{stretches}</span>'


def _draw_label_stretch(words: str, share: float) -> str:
    return f'<i style="width:{100 * share:.1f}%" title="{escape_text(words)}"></i>'


def describe_seen_class(session: Session, sight: TopClass) -> str:
    return f"seen {spell_name(session.classes[sight.label])}, {write_percent(sight.probability)}"


def draw_style_grid(session: Session, done: StyleGrid, parts: Sequence[str]) -> str:
    """Draw the grid: rows give the content, columns the style.

    A picture whose class is no longer the row's is marked.
    """
    count = len(done.pictures)
    head = join_html(f"<div>{draw_set_picture(found, -1)}</div>" for found in done.pictures)
    rows = join_html(
        f"<div>{draw_set_picture(done.pictures[i], -1)}</div>"
        + join_html(draw_grid_tile(session, done, i, j) for j in range(count))
        for i in range(count)
    )
    title = f"style grid: {escape_text(done.origin)}; {escape_text(' + '.join(parts))} of the column"
    return (
        f'<h3 class="ll-heading">{title}</h3>'
        f'<p class="ll-verdict">{escape_text(describe_preservation(done))}</p>'
        f'<div class="ll-grid-box"><div class="ll-grid" style="--ll-columns:{count}">'
        f'<div class="ll-corner"><span>style</span><span>content</span></div>{head}{rows}</div></div>'
    )


def describe_preservation(done: StyleGrid) -> str:
    """Say how often the swap leaves the class alone, the premise of RandMix and AdvMix."""
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


def draw_grid_tile(session: Session, done: StyleGrid, i: int, j: int) -> str:
    sight = done.seen[i * len(done.pictures) + j] if done.seen else None
    other = " ll-other" if sight and sight.label != done.own[i] else ""
    said = describe_seen_class(session, sight) if sight else "swapped"
    key = f"{done.pictures[i].name}|{done.pictures[j].name}"
    own, picture = " ll-own" if i == j else "", draw_image(done.images[i * len(done.pictures) + j], said)
    return (
        f'<button class="ll-swapped{other}{own}" data-key="{escape_text(key)}" '
        f'title="{escape_text(said)}: to the workbench">{picture}</button>'
    )

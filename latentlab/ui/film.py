"""The strip below the pictures: where the move leads when it goes on, or how an attack went step by step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from latentlab import session as verbs
from latentlab.errors import UserError
from latentlab.operators import Adversary, Mix, Move, Noise, Shift, Swap
from latentlab.session import Desk, Result, Session, Track
from latentlab.ui.markup import image, joined, text
from latentlab.ui.show import name, percent, short

Frame = tuple[str, Move]
MOST = 9  # steps shown of a long attack
WIDE, HIGH = 240, 96  # of the plot, px
SWAPS = (("coarse",), ("middle",), ("fine",), ("coarse", "middle"), ("middle", "fine"), ("coarse", "middle", "fine"))


def film(desk: Desk, session: Session) -> str:
    if isinstance(session.result.tool, Adversary):
        return chase(desk, session)
    title, frames = continued(session.result.tool)
    possible = [frame for frame in frames if can(desk, session, frame[1])]
    results = verbs.strip(desk, session, [tool for _, tool in possible])
    here = session.result.tool
    return heading(title) + row(
        tile(session, done, note, done.tool == here) for (note, _), done in zip(possible, results, strict=True)
    )


def can(desk: Desk, session: Session, tool: Move) -> bool:
    """A space of one part cannot swap some of them."""
    try:
        verbs.moved(desk, session, tool)
    except UserError:
        return False
    return True


def continued(tool: Move) -> tuple[str, list[Frame]]:
    """What the strip shows, and the tool of each picture in it."""
    match tool:
        case Shift():
            reach = (-3, -2, -1, 0, 1, 2, 3)
            if "*" in tool.direction:
                return "the whole move, times", [(f"× {t:g}", replace(tool, amount=t / 2)) for t in reach]
            return f"along {name(tool.direction)}", [
                (f"{t:+d} σ" if t else "0 σ", replace(tool, amount=float(t))) for t in reach
            ]
        case Noise():
            return "the same noise, growing", [
                (f"ε {tool.epsilon * t:.3g}", replace(tool, epsilon=min(tool.epsilon * t, 100.0)))
                for t in (0, 0.25, 0.5, 1, 1.5, 2, 3)
            ]
        case Mix():
            return "from the input to the partner", [
                (f"λ {t / 8:.2f}", replace(tool, lam=t / 8, weight="fixed")) for t in range(8, -1, -1)
            ]
        case Swap():
            return "parts borrowed", [
                (" + ".join(parts) if len(parts) < 3 else "all", replace(tool, parts=parts)) for parts in SWAPS
            ]
    return "", []


def heading(title: str) -> str:
    return f'<h3 class="ll-heading">{text(title)}</h3>'


def row(tiles) -> str:
    return f'<div class="ll-film">{joined(tiles)}</div>'


def tile(session: Session, done: Result, note: str, here: bool = False, more: str = "") -> str:
    mark = " ll-here" if here else ""
    return (
        f'<figure class="ll-tile{mark}">{image(done.image[0], note)}<figcaption><b>{text(note)}</b>'
        f"<span>{text(seen(session, done))}</span>{f'<span>{text(more)}</span>' if more else ''}</figcaption></figure>"
    )


def seen(session: Session, done: Result) -> str:
    """The class that the classifier sees, else how far the picture is."""
    if not session.classes:
        return f"l2 {done.distance:.1f}"
    return f"{name(session.classes[done.reading.best])}: {percent(done.reading.probabilities[done.reading.best])}"


def chase(desk: Desk, session: Session) -> str:
    """The attack's steps, below them its control in pixels, and beside both their margins."""
    if session.track is None:
        return ""
    ours, control = session.track
    strips = heading(f"attack in {short(desk, session.model, session.world)}, step by step") + pursuit(session, ours)
    aside = margins(ours, control)
    if control is not ours:
        strips += heading(f"pixel PGD to the same distance, l2 {control.distances[-1]:.2f}") + pursuit(session, control)
        aside += joined(f'<p class="ll-doubt">{text(line)}</p>' for line in session.doubts)
    return f'<div class="ll-chase"><div>{strips}</div><div class="ll-aside">{aside}</div></div>'


def pursuit(session: Session, track: Track) -> str:
    """All steps of a short attack, an even choice of a long one."""
    last = len(track.steps) - 1
    chosen = sorted({round(place * last / (MOST - 1)) for place in range(MOST)}) if last >= MOST else range(last + 1)
    return row(step(session, track, k, k == last) for k in chosen)


def step(session: Session, track: Track, k: int, here: bool) -> str:
    label = "no move" if k == 0 else "start" if k == 1 else f"step {k - 1}"
    return tile(session, track.steps[k], label, here, f"l2 {track.distances[k]:.2f}")


def margins(ours: Track, control: Track) -> str:
    """Margin against step for both: below the dashed line the label is lost."""
    values = [*ours.margins, *control.margins, 0.0]
    low, span = min(values), (max(values) - min(values)) or 1.0

    def height(margin: float) -> float:
        return HIGH - 4 - (HIGH - 8) * (margin - low) / span

    def line(margins: Sequence[float], kind: str) -> str:
        count = max(len(margins) - 1, 1)
        points = " ".join(f"{4 + (WIDE - 8) * k / count:.1f},{height(margin):.1f}" for k, margin in enumerate(margins))
        return f'<polyline class="{kind}" points="{points}"/>'

    zero = f'<line x1="4" x2="{WIDE - 4}" y1="{height(0):.1f}" y2="{height(0):.1f}"/>'
    curves = zero + (line(control.margins, "control") if control is not ours else "") + line(ours.margins, "ours")
    other = f"; pixel PGD {control.margins[-1]:.2f}" if control is not ours else ""
    frame = f'viewBox="0 0 {WIDE} {HIGH}" role="img" aria-label="margin at each step"'
    return (
        f'<figure class="ll-plot"><svg {frame}>{curves}</svg>'
        f"<figcaption><b>margin in logits</b><span>{ours.margins[0]:.2f} → {ours.margins[-1]:.2f}{other}. "
        f"Below the line the label is lost.</span></figcaption></figure>"
    )

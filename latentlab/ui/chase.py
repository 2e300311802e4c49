"""An attack as figures and words: its track, its verdict, its success against the distance travelled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from latentlab.operators import Adversary
from latentlab.session import Session, Track
from latentlab.session.attack import Witness
from latentlab.session.success import Rate, Success, wilson
from latentlab.ui.film import step_name
from latentlab.ui.markup import joined, term, text
from latentlab.ui.show import name, percent

Figure = dict[str, Any]
QUIET = {"displayModeBar": False}
OURS, PIXELS = "var(--ll-accent)", "#c8792e"
ROWS = (("margin", "margin [logits]"), ("loss", "loss [nats]"), ("distance", "distance [l2]"))
FEW = 6  # steps that are all named on the axis
GAP = 0.13  # between the rows of a figure, as a share of its height
NO_SIGN = "None: two looks agree, logits are no probabilities, the gradient is not zero, no random move does better."
WORDS = {
    "margin": "Logit of the label minus the best other logit. Below 0 the label is lost.",
    "independent": "Another classifier of the same classes, which the attack never saw: does it still see the label?",
    "doubts": "Signs that an attack says little about a classifier (Croce and Hein 2020).",
}


def track_figure(session: Session) -> Figure | None:
    """Margin, loss and distance at every step of the attack and of its control; a line where the stage is."""
    if session.track is None:
        return None
    ours, control = session.track
    pairs = [("attack", ours, OURS), *([("pixel PGD", control, PIXELS)] if control is not None else [])]
    traces = [
        _steps(label, track, row, colour, first=place == 0)
        for label, track, colour in pairs
        for place, (row, _) in enumerate(ROWS)
    ]
    return {"data": traces, "layout": _three_rows(session, ours), "config": QUIET}


def _steps(label: str, track: Track, row: str, colour: str, first: bool) -> Figure:
    values = {"margin": track.margins, "loss": track.losses, "distance": track.distances}[row]
    place = [key for key, _ in ROWS].index(row)
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": label,
        "legendgroup": label,
        "showlegend": first,
        "x": list(range(-1, len(values) - 1)),
        "y": [round(value, 5) for value in values],
        "yaxis": f"y{place + 1}" if place else "y",
        "line": {"color": colour, "width": 1.8, "dash": "solid" if colour == OURS else "dot"},
        "marker": {"size": 5},
        "hovertemplate": "%{customdata}: " + row + " %{y:.3g}",
        "customdata": [step_name(k) for k in range(len(values))],
    }


def _three_rows(session: Session, ours: Track) -> Figure:
    high, ticks = (1 - 2 * GAP) / 3, _ticks(ours)
    layout: Figure = {
        "margin": {"l": 46, "r": 10, "t": 34, "b": 30},
        "legend": {"orientation": "h", "y": 1.06, "yanchor": "bottom", "x": 1, "xanchor": "right"},
        "uirevision": "track",
        "hovermode": "closest",
        "xaxis": {
            "tickangle": 0,
            "tickvals": ticks,
            "ticktext": [_tick(k) for k in ticks],
            "anchor": "y3",
        },
        "annotations": [_row_title(words, 1 - place * (high + GAP)) for place, (_, words) in enumerate(ROWS)],
        "shapes": [_level_zero(), *_here(session, ours)],
    }
    for place in range(len(ROWS)):
        top = 1 - place * (high + GAP)
        axis = {"domain": [max(top - high, 0), top], "nticks": 4, "zeroline": False}
        layout[f"yaxis{place + 1 if place else ''}"] = axis
    return layout


def _row_title(words: str, top: float) -> Figure:
    place = {"xref": "paper", "yref": "paper", "x": 0, "y": top, "xanchor": "left", "yanchor": "bottom"}
    return {**place, "text": words, "showarrow": False, "font": {"size": 12, "color": "var(--ll-quiet)"}}


def _level_zero() -> Figure:
    line = {"color": "var(--ll-quiet)", "width": 1, "dash": "dash"}
    return {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "yref": "y", "y0": 0, "y1": 0, "line": line}


def _here(session: Session, ours: Track) -> list[Figure]:
    place = place_of(session, ours)
    if place is None:
        return []
    line = {"color": OURS, "width": 1}
    return [{"type": "line", "yref": "paper", "y0": 0, "y1": 1, "x0": place - 1, "x1": place - 1, "line": line}]


def place_of(session: Session, track: Track) -> int | None:
    """Of the picture on the stage."""
    return next((k for k, done in enumerate(track.steps) if done is session.result), None)


def _ticks(track: Track) -> list[int]:
    """−1 without a move, 0 the start, then every step or some of them."""
    last = len(track.steps) - 2
    every = max(1, last // FEW)
    few = [-1, 0] if last < FEW else [0]
    return [*few, *range(every, last + 1, every)]


def _tick(k: int) -> str:
    return step_name(0) if k < 0 else str(k)


def verdict(session: Session, witness: Witness | None) -> str:
    """What the attack did, what an independent classifier says, and why not to trust it."""
    if session.track is None:
        return ""
    ours, control = session.track
    rows = [
        (term("margin", WORDS["margin"]), *_margin(ours, control)),
        ("label", *_label(session, ours)),
        (term("independent", WORDS["independent"]), *_witnessed(session, witness)),
    ]
    lines = joined(
        f"<dt>{word}</dt><dd>{f'<b>{text(value)}</b>' if value else ''}<span>{text(note)}</span></dd>"
        for word, value, note in rows
    )
    return f'<dl class="ll-numbers ll-verdict">{lines}{_doubted(session, control is None)}</dl>'


def _margin(ours: Track, control: Track | None) -> tuple[str, str]:
    other = "" if control is None else f"pixel PGD at the same distance: {control.margins[-1]:.2f}"
    return f"{ours.margins[0]:.2f} → {ours.margins[-1]:.2f}", other


def _label(session: Session, ours: Track) -> tuple[str, str]:
    tool, classes = ours.result.tool, session.classes
    assert isinstance(tool, Adversary)
    if tool.label == "target":
        wanted = name(classes[tool.target])
        won = next((k for k, done in enumerate(ours.steps) if done.reading.best == tool.target), None)
        return (f"{wanted}", "not reached" if won is None else f"reached at: {step_name(won)}")
    clean = ours.steps[0].reading.best
    lost = next((k for k, done in enumerate(ours.steps) if done.reading.best != clean), None)
    start, end = name(classes[clean]), name(classes[ours.result.reading.best])
    if lost is None:
        return start, "kept at every step"
    return f"{start} → {end}", f"lost at: {step_name(lost)}"


def _witnessed(session: Session, witness: Witness | None) -> tuple[str, str]:
    if witness is None and ":" in session.classifier:
        return "", "none: all attributes are read by one network, so no other can say whether the label was kept"
    if witness is None:
        return "", "none in this world: whether the label was kept is not known. Train or bring a second classifier."
    before, after = witness.before, witness.after
    start, end = (name(session.classes[reading.best]) for reading in (before, after))
    kept = "kept" if before.best == after.best else "changed for it, too"
    sure = f"{percent(before.probabilities[before.best])} → {percent(after.probabilities[before.best])}"
    right = "" if witness.accuracy is None else f" ({percent(witness.accuracy)} right on the test images)"
    return (start if start == end else f"{start} → {end}"), f"{kept}; {name(witness.name)}{right}, {start}: {sure}"


def _doubted(session: Session, unfinished: bool) -> str:
    lines = session.doubts
    told = joined(f'<span class="ll-doubt">{text(line)}</span>' for line in lines)
    if not lines:
        told = f"<span>{text('Looked for when the attack has ended.' if unfinished else NO_SIGN)}</span>"
    return f"<dt>{term('doubts', WORDS['doubts'])}</dt><dd>{told}</dd>"


def success_figure(state: Success) -> Figure | None:
    """Share of images won, and of labels kept for the independent classifier, against the mean distance travelled."""
    if not state.ours:
        return None
    traces = []
    for label, rates, colour in (("attack", state.ours, OURS), ("pixel PGD", state.pixels, PIXELS)):
        traces.append(_won(f"{label}: success", rates, colour))
        if state.independent:
            traces.append(_kept(f"{label}: label kept", rates, colour))
    layout = {
        "margin": {"l": 52, "r": 14, "t": 34, "b": 44},
        "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        "uirevision": "success",
        "hovermode": "closest",
        "xaxis": {"title": {"text": "mean distance [l2 in image space]"}, "rangemode": "tozero"},
        "yaxis": {"title": {"text": "images [%]"}, "range": [-3, 103], "zeroline": False},
    }
    return {"data": traces, "layout": layout, "config": QUIET}


def _won(label: str, rates: Sequence[Rate], colour: str) -> Figure:
    spans = [wilson(rate.hits, rate.count) for rate in rates]
    shares = [rate.hits / rate.count for rate in rates]
    return _curve(label, rates, shares, colour, "solid") | {
        "error_y": {
            "type": "data",
            "symmetric": False,
            "array": [_hundred(high - share) for (_, high), share in zip(spans, shares, strict=True)],
            "arrayminus": [_hundred(share - low) for (low, _), share in zip(spans, shares, strict=True)],
            "thickness": 1,
            "width": 3,
        },
        "text": [
            f"ε {rate.epsilon:.3g}: {rate.hits} of {rate.count}, 95 % interval {_hundred(low)}–{_hundred(high)} %"
            for rate, (low, high) in zip(rates, spans, strict=True)
        ],
    }


def _kept(label: str, rates: Sequence[Rate], colour: str) -> Figure:
    known = [rate for rate in rates if rate.agreed]
    return _curve(label, known, [rate.kept / rate.agreed for rate in known], colour, "dot") | {
        "text": [f"ε {rate.epsilon:.3g}: {rate.kept} of {rate.agreed}" for rate in known]
    }


def _curve(label: str, rates: Sequence[Rate], shares: Sequence[float], colour: str, dash: str) -> Figure:
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": label,
        "x": [round(rate.distance, 4) for rate in rates],
        "y": [_hundred(share) for share in shares],
        "line": {"color": colour, "dash": dash, "width": 2},
        "marker": {"size": 6, "symbol": "circle" if dash == "solid" else "circle-open"},
        "hovertemplate": "%{text}",
    }


def _hundred(share: float) -> float:
    return round(100 * max(share, 0.0), 1)


def success_words(state: Success, running: bool) -> str:
    """Which images, how far it is, and what the dotted curves are."""
    progress = f"{state.done} of {state.total} attacks" if running else f"{state.total} attacks"
    other = (
        f"Dotted: labels that {state.independent} still sees; it was not attacked."
        if state.independent
        else "No independent classifier of these classes is here, so whether the labels were kept is not known."
    )
    lines = (
        f"{progress}, on {state.images}, against {state.classifier}.",
        "Bars: 95 % Wilson intervals. At each radius, pixel PGD is given the mean distance that the attack travelled.",
        other,
    )
    return joined(f'<p class="ll-quiet">{text(line)}</p>' for line in lines)

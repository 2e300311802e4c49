"""An attack as figures and words: its track, its verdict, its success against the distance travelled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from latentlab.operators import Attack
from latentlab.session import AttackTrace, Session
from latentlab.session.attack.success_curve import SuccessCurves, SuccessRate, compute_wilson_interval
from latentlab.session.attack.trace import Witness
from latentlab.ui.html import draw_term, escape_text, join_html, spell_name, write_percent
from latentlab.ui.stage.filmstrip import name_attack_step

AttackFigure = dict[str, Any]
NO_MODE_BAR = {"displayModeBar": False}
ATTACK_COLOUR, CONTROL_COLOUR = "var(--ll-accent)", "#c8792e"
TRACK_ROWS = (("margin", "margin [logits]"), ("loss", "loss [nats]"), ("distance", "distance [l2]"))
MOST_NAMED_STEPS = 6  # steps that are all named on the axis
ROW_GAP = 0.13  # between the rows of a figure, as a share of its height
NO_DOUBTS_NOTE = (
    "None: two looks agree, logits are no probabilities, the gradient is not zero, no random move does better."
)
VERDICT_TERMS = {
    "margin": "Logit of the label minus the best other logit. Below 0 the label is lost.",
    "independent": "Another classifier of the same classes, which the attack never saw: does it still see the label?",
    "doubts": "Signs that an attack says little about a classifier (Croce and Hein 2020).",
}


def draw_track_figure(session: Session) -> AttackFigure | None:
    """Draw margin, loss and distance at every step of the attack and of its control; a line marks the stage's place."""
    if session.trace is None:
        return None
    ours, control = session.trace
    pairs = [
        ("attack", ours, ATTACK_COLOUR),
        *([("pixel PGD", control, CONTROL_COLOUR)] if control is not None else []),
    ]
    traces = [
        _draw_steps(label, trace, row, colour, first=place == 0)
        for label, trace, colour in pairs
        for place, (row, _) in enumerate(TRACK_ROWS)
    ]
    return {"data": traces, "layout": _lay_out_rows(session, ours), "config": NO_MODE_BAR}


def _draw_steps(label: str, trace: AttackTrace, row: str, colour: str, first: bool) -> AttackFigure:
    values = {"margin": trace.margins, "loss": trace.losses, "distance": trace.distances}[row]
    place = [key for key, _ in TRACK_ROWS].index(row)
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": label,
        "legendgroup": label,
        "showlegend": first,
        "x": list(range(-1, len(values) - 1)),
        "y": [round(value, 5) for value in values],
        "yaxis": f"y{place + 1}" if place else "y",
        "line": {"color": colour, "width": 1.8, "dash": "solid" if colour == ATTACK_COLOUR else "dot"},
        "marker": {"size": 5},
        "hovertemplate": "%{customdata}: " + row + " %{y:.3g}",
        "customdata": [name_attack_step(k) for k in range(len(values))],
    }


def _lay_out_rows(session: Session, ours: AttackTrace) -> AttackFigure:
    high, ticks = (1 - 2 * ROW_GAP) / 3, _choose_ticks(ours)
    layout: AttackFigure = {
        "margin": {"l": 46, "r": 10, "t": 34, "b": 30},
        "legend": {"orientation": "h", "y": 1.06, "yanchor": "bottom", "x": 1, "xanchor": "right"},
        "uirevision": "track",
        "hovermode": "closest",
        "xaxis": {
            "tickangle": 0,
            "tickvals": ticks,
            "ticktext": [_name_tick(k) for k in ticks],
            "anchor": "y3",
        },
        "annotations": [
            _make_row_title(words, 1 - place * (high + ROW_GAP)) for place, (_, words) in enumerate(TRACK_ROWS)
        ],
        "shapes": [_draw_zero_line(), *_mark_stage(session, ours)],
    }
    for place in range(len(TRACK_ROWS)):
        top = 1 - place * (high + ROW_GAP)
        axis = {"domain": [max(top - high, 0), top], "nticks": 4, "zeroline": False}
        layout[f"yaxis{place + 1 if place else ''}"] = axis
    return layout


def _make_row_title(words: str, top: float) -> AttackFigure:
    place = {"xref": "paper", "yref": "paper", "x": 0, "y": top, "xanchor": "left", "yanchor": "bottom"}
    return {**place, "text": words, "showarrow": False, "font": {"size": 12, "color": "var(--ll-quiet)"}}


def _draw_zero_line() -> AttackFigure:
    line = {"color": "var(--ll-quiet)", "width": 1, "dash": "dash"}
    return {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "yref": "y", "y0": 0, "y1": 0, "line": line}


def _mark_stage(session: Session, ours: AttackTrace) -> list[AttackFigure]:
    place = find_step_place(session, ours)
    if place is None:
        return []
    line = {"color": ATTACK_COLOUR, "width": 1}
    return [{"type": "line", "yref": "paper", "y0": 0, "y1": 1, "x0": place - 1, "x1": place - 1, "line": line}]


def find_step_place(session: Session, trace: AttackTrace) -> int | None:
    """Return the place in the track of the picture on the stage; None where it is not among the steps."""
    return next((k for k, done in enumerate(trace.steps) if done is session.result), None)


def _choose_ticks(trace: AttackTrace) -> list[int]:
    """Return the marks of the axis: −1 without a move, 0 the start, then every step or some of them."""
    last = len(trace.steps) - 2
    every = max(1, last // MOST_NAMED_STEPS)
    few = [-1, 0] if last < MOST_NAMED_STEPS else [0]
    return [*few, *range(every, last + 1, every)]


def _name_tick(k: int) -> str:
    return name_attack_step(0) if k < 0 else str(k)


def write_attack_verdict(session: Session, witness: Witness | None) -> str:
    """Say what the attack did, what an independent classifier says, and why not to trust it."""
    if session.trace is None:
        return ""
    ours, control = session.trace
    rows = [
        (draw_term("margin", VERDICT_TERMS["margin"]), *_describe_margin(ours, control)),
        ("label", *_describe_label(session, ours)),
        (draw_term("independent", VERDICT_TERMS["independent"]), *_describe_witness(session, witness)),
    ]
    lines = join_html(
        f"<dt>{word}</dt><dd>{f'<b>{escape_text(value)}</b>' if value else ''}<span>{escape_text(note)}</span></dd>"
        for word, value, note in rows
    )
    return f'<dl class="ll-numbers ll-verdict">{lines}{_list_doubts(session, control is None)}</dl>'


def _describe_margin(ours: AttackTrace, control: AttackTrace | None) -> tuple[str, str]:
    other = "" if control is None else f"pixel PGD at the same distance: {control.margins[-1]:.2f}"
    return f"{ours.margins[0]:.2f} → {ours.margins[-1]:.2f}", other


def _describe_label(session: Session, ours: AttackTrace) -> tuple[str, str]:
    tool, classes = ours.last_result.tool, session.classes
    assert isinstance(tool, Attack)
    if tool.label == "target":
        wanted = spell_name(classes[tool.target])
        won = next((k for k, done in enumerate(ours.steps) if done.prediction.best_class == tool.target), None)
        return (f"{wanted}", "not reached" if won is None else f"reached at: {name_attack_step(won)}")
    clean = ours.steps[0].prediction.best_class
    lost = next((k for k, done in enumerate(ours.steps) if done.prediction.best_class != clean), None)
    start, end = spell_name(classes[clean]), spell_name(classes[ours.last_result.prediction.best_class])
    if lost is None:
        return start, "kept at every step"
    return f"{start} → {end}", f"lost at: {name_attack_step(lost)}"


def _describe_witness(session: Session, witness: Witness | None) -> tuple[str, str]:
    if witness is None and ":" in session.classifier:
        return "", "none: all attributes are read by one network, so no other can say whether the label was kept"
    if witness is None:
        return "", "none in this world: whether the label was kept is not known. Train or bring a second classifier."
    before, after = witness.before, witness.after
    start, end = (spell_name(session.classes[reading.best_class]) for reading in (before, after))
    kept = "kept" if before.best_class == after.best_class else "changed for it, too"
    was, now = (write_percent(reading.probabilities[before.best_class]) for reading in (before, after))
    right = "" if witness.accuracy is None else f" ({write_percent(witness.accuracy)} right on the test images)"
    seen = start if start == end else f"{start} → {end}"
    return seen, f"{kept}; {spell_name(witness.name)}{right}, {start}: {was} → {now}"


def _list_doubts(session: Session, unfinished: bool) -> str:
    lines = session.doubts
    told = join_html(f'<span class="ll-doubt">{escape_text(line)}</span>' for line in lines)
    if not lines:
        told = f"<span>{escape_text('Looked for when the attack has ended.' if unfinished else NO_DOUBTS_NOTE)}</span>"
    return f"<dt>{draw_term('doubts', VERDICT_TERMS['doubts'])}</dt><dd>{told}</dd>"


def draw_success_figure(state: SuccessCurves) -> AttackFigure | None:
    """Draw shares of images against the mean distance travelled.

    They are the images won, and the labels kept for the independent classifier.
    """
    if not state.ours:
        return None
    traces = []
    for label, rates, colour in (("attack", state.ours, ATTACK_COLOUR), ("pixel PGD", state.pixels, CONTROL_COLOUR)):
        traces.append(_draw_won_shares(f"{label}: success", rates, colour))
        if state.independent:
            traces.append(_draw_kept_shares(f"{label}: label kept", rates, colour))
    places = [rate.distance for rate in state.ours]
    radii = {
        "tickvals": places,
        "ticktext": [f"{rate.epsilon:g}" for rate in state.ours],
        "title": {"text": "ε of the attack"},
    }
    traces.append({"x": places, "y": [None] * len(places), "xaxis": "x2", "hoverinfo": "skip", "showlegend": False})
    layout = {
        "margin": {"l": 52, "r": 14, "t": 76, "b": 44},
        "legend": {"orientation": "h", "y": 1.2, "yanchor": "bottom", "x": 0},
        "uirevision": "success",
        "hovermode": "closest",
        "xaxis": {"title": {"text": "mean distance [l2 in image space]"}, "rangemode": "tozero"},
        "xaxis2": {"overlaying": "x", "matches": "x", "side": "top", "showgrid": False, **radii},
        "yaxis": {"title": {"text": "images [%]"}, "range": [-3, 103], "zeroline": False},
    }
    return {"data": traces, "layout": layout, "config": NO_MODE_BAR}


def _draw_won_shares(label: str, rates: Sequence[SuccessRate], colour: str) -> AttackFigure:
    spans = [compute_wilson_interval(rate.hits, rate.count) for rate in rates]
    shares = [rate.hits / rate.count for rate in rates]
    return _draw_share_curve(label, rates, shares, colour, "solid") | {
        "error_y": {
            "type": "data",
            "symmetric": False,
            "array": [_round_percent(high - share) for (_, high), share in zip(spans, shares, strict=True)],
            "arrayminus": [_round_percent(share - low) for (low, _), share in zip(spans, shares, strict=True)],
            "thickness": 1,
            "width": 3,
        },
        "text": [
            f"ε {rate.epsilon:.3g}: {rate.hits} of {rate.count}, "
            f"95 % interval {_round_percent(low)}–{_round_percent(high)} %"
            for rate, (low, high) in zip(rates, spans, strict=True)
        ],
    }


def _draw_kept_shares(label: str, rates: Sequence[SuccessRate], colour: str) -> AttackFigure:
    known = [rate for rate in rates if rate.agreed]
    return _draw_share_curve(label, known, [rate.kept / rate.agreed for rate in known], colour, "dot") | {
        "text": [f"ε {rate.epsilon:.3g}: {rate.kept} of {rate.agreed}" for rate in known]
    }


def _draw_share_curve(
    label: str, rates: Sequence[SuccessRate], shares: Sequence[float], colour: str, dash: str
) -> AttackFigure:
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": label,
        "x": [round(rate.distance, 4) for rate in rates],
        "y": [_round_percent(share) for share in shares],
        "line": {"color": colour, "dash": dash, "width": 2},
        "marker": {"size": 6, "symbol": "circle" if dash == "solid" else "circle-open"},
        "hovertemplate": "%{text}",
    }


def _round_percent(share: float) -> float:
    return round(100 * max(share, 0.0), 1)


def describe_success_figure(state: SuccessCurves, running: bool) -> str:
    """Say which images it is about, how far it has come, and what the dotted curves are."""
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
    return join_html(f'<p class="ll-quiet">{escape_text(line)}</p>' for line in lines)

"""What a second classifier says beside the first, as bars, words and notes."""

from __future__ import annotations

from latentlab.operators import MovePath
from latentlab.session import PathPredictions, Result, SecondReading, Session, Workspace, read_beside
from latentlab.ui.html import escape_text, join_html, spell_name, write_percent

MAX_SECOND_CLASSES = 3  # bars of the second classifier


def draw_second_reading(workspace: Workspace, session: Session, done: Result) -> str:
    """Draw the second classifier's likeliest classes and say whether it agrees; nothing where nobody is asked."""
    before = read_beside(workspace, session, session.source.image, session.before.probabilities)
    after = read_beside(workspace, session, done.image, done.prediction.probabilities)
    if before is None or after is None:
        return ""
    highest = [max(pair) for pair in zip(before.probabilities, after.probabilities, strict=True)]
    order = sorted(range(len(highest)), key=lambda k: -highest[k])[:MAX_SECOND_CLASSES]
    words = join_html(
        f"<li><b>{escape_text(spell_name(after.classes[k]))}</b> "
        f"{write_percent(before.probabilities[k])} → {write_percent(after.probabilities[k])}</li>"
        for k in order
    )
    mark = " ll-off" if after.disagrees or before.disagrees else ""
    said = escape_text(describe_agreement(session, before, after))
    return (
        f'<div class="ll-second" role="group" aria-label="second reader"><span>{escape_text(after.reader)}</span>'
        f'<ul>{words}</ul><p class="ll-quiet{mark}">{said}</p></div>'
    )


def describe_agreement(session: Session, before: SecondReading, after: SecondReading) -> str:
    """Say in words where the two classifiers disagree."""
    if after.classes != session.classes:
        return "It tells other classes apart, so the two cannot disagree."
    if after.disagrees:
        now = f"{session.classifier} reads {spell_name(after.first_label)}, {after.reader} {spell_name(after.label)}"
        return f"They disagree on the {'input and the ' if before.disagrees else ''}result: {now}."
    if before.disagrees:
        return f"They disagree on the input, where {after.reader} reads {spell_name(before.label)}."
    return "Both read the same, before and after."


def draw_second_note(path: MovePath, course: PathPredictions) -> str:
    """Say in a line where along the path the second classifier reads another class than the first."""
    known = [one for one in course.beside if one is not None]
    if not known:
        return ""
    apart = [path.write_place(place) for place, one in zip(course.places, known, strict=True) if one.disagrees]
    reader = escape_text(known[0].reader)
    if not apart:
        return f'<p class="ll-quiet">{reader}, dotted, reads the same all along.</p>'
    where = "everywhere" if len(apart) == len(known) else f"at {escape_text(', '.join(apart))}"
    return f'<p class="ll-quiet ll-off">{reader}, dotted, reads otherwise {where}.</p>'

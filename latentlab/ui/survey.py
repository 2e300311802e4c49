"""What a map says in numbers: how far the plane can be trusted, and how far off the real images the moved ones are."""

from __future__ import annotations

from latentlab.projections import Quality
from latentlab.session.atlas import Ground, Sight
from latentlab.session.drift import Drift, Line, Pairs
from latentlab.ui.chart import Overlay, near
from latentlab.ui.markup import joined, term, text
from latentlab.ui.show import caption, density

WORDS = {
    "trustworthiness": "1 where no stranger stands among a point's neighbours in the plane; 0.5 is about chance.",
    "neighbours kept": "Of a point's nearest neighbours in the full space, the share that is near it in the plane.",
    "nearest real one": "Distance in the full space to the nearest image of the map, not in the plane: "
    "the plane can put a picture among others that are far from it.",
    "off the data": "Moved images that are further from every real one than 95 % of the real ones are from each other.",
    "bits/dim": "−log2 p(x) per pixel and channel under the world's flow, the mean. A rise: it leaves the data.",
    "squared distance": "The mean over the pairs, in the full space: optimal transport makes it as small as it can be.",
}
Row = tuple[str, str, str]


def numbers(sight: Sight, here: Line | None, overlay: Overlay) -> str:
    """All that is known, a line each."""
    rows: list[Row] = []
    if sight.layout is not None and sight.layout.quality is not None:
        rows += quality(sight.layout.quality)
    if sight.ground is not None:
        rows += bench(here, sight.ground) + of(overlay, sight.ground)
    return f'<dl class="ll-numbers">{joined(map(line, rows))}</dl>' if rows else ""


def line(row: Row) -> str:
    word, value, note = row
    known = term(word, WORDS[word]) if word in WORDS else text(word)
    return f"<dt>{known}</dt><dd><b>{text(value)}</b><span>{text(note)}</span></dd>"


def quality(found: Quality) -> list[Row]:
    among = f"{found.neighbours} neighbours, among {found.points:,} points"
    return [
        ("trustworthiness", f"{found.trustworthiness:.3f}", among),
        ("neighbours kept", f"{100 * found.preservation:.0f} %", among),
    ]


def bench(here: Line | None, ground: Ground) -> list[Row]:
    if here is None:
        return []
    source, rebuilt, result = (f"{float(far):.3g}" for far in here.near)
    usual = f"{ground.typical:.3g} is usual between real images; rebuilding alone {rebuilt}"
    return [("nearest real one", f"{source} → {result}", usual)]


def of(overlay: Overlay, ground: Ground) -> list[Row]:
    match overlay:
        case Drift():
            return drift(overlay, ground)
        case Pairs():
            return pairs(overlay)
        case tuple():
            return [(way.name, f"{near(way.near[0])} → {near(way.near[-1])}", extreme(way)) for way in overlay]
    return []


def drift(found: Drift, ground: Ground) -> list[Row]:
    off, count = int((found.near > ground.far).sum()), len(found.rows)
    rows = [
        (
            f"{count} moved",
            f"{float(found.before.median()):.3g} → {float(found.near.median()):.3g}",
            f"{caption(found.tool)}; median distance to the nearest real one; rebuilding alone {found.rebuilt:.3g}",
        ),
        ("off the data", f"{off} of {count}", f"further than {ground.far:.3g} from every real image"),
    ]
    if found.bits is not None:
        before, after = (sum(bits) / count for bits in found.bits)
        rows.append(("bits/dim", f"{density(before)} → {density(after)}", f"{after - before:+.3g} on average"))
    return rows


def pairs(found: Pairs) -> list[Row]:
    transport, random = found.costs
    share = f"; transport needs {100 * transport / random:.0f} % of it" if random > 0 else ""
    note = f"over {len(found.rows)} pairs; at random {random:.3g}{share}"
    return [("squared distance", f"{transport:.3g}", note)]


def extreme(way: Line) -> str:
    place = int(way.near.argmax())
    return f"distance to the nearest real one along it, at most {near(way.near[place])} at {way.words[place]}"

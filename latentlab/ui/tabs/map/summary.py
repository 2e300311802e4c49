"""What a map says in numbers: how far the plane can be trusted, and how far off the real images the moved ones are."""

from __future__ import annotations

from torch import Tensor

from latentlab.projections import NearestPoints, ProjectionQuality
from latentlab.session.map.layout import EmbeddedPoints
from latentlab.session.map.overlays import MovedPoints, PointPairs, PointPath
from latentlab.session.map.plan import MapPlan
from latentlab.session.map.service import MapMaker, MapState
from latentlab.ui.html import draw_image, draw_term, escape_text, join_html
from latentlab.ui.stage.view import format_bits
from latentlab.ui.tabs.map.figure import Overlay, format_map_distance

MAP_TERMS = {
    "trustworthiness": "1 where no stranger stands among a point's neighbours in the plane; 0.5 is about chance.",
    "neighbours kept": "Of a point's nearest neighbours in the full space, the share that is near it in the plane.",
    "nearest real one": "Distance in the full space to the nearest image of the map, not in the plane: "
    "the plane can put a picture among others that are far from it.",
    "off the data": "Moved images that are further from every real one than 95 % of the real ones are from each other.",
    "bits/dim": "−log2 p(x) per pixel and channel under the world's flow, the mean. A rise: it leaves the data.",
    "squared distance": "The mean over the pairs, in the full space: optimal transport makes it as small as it can be.",
}
NumberRow = tuple[str, str, str]


def draw_map_numbers(sight: MapState, here: PointPath | None, overlay: Overlay) -> str:
    """Draw all that is known, a line each."""
    rows: list[NumberRow] = []
    if sight.layout is not None and sight.layout.quality is not None:
        rows += describe_map_quality(sight.layout.quality)
    if sight.ground is not None:
        rows += describe_workbench_distance(here, sight.ground) + describe_overlay(overlay, sight.ground)
    return f'<dl class="ll-numbers">{join_html(map(draw_number_row, rows))}</dl>' if rows else ""


def draw_number_row(row: NumberRow) -> str:
    word, value, note = row
    known = draw_term(word, MAP_TERMS[word]) if word in MAP_TERMS else escape_text(word)
    return f"<dt>{known}</dt><dd><b>{escape_text(value)}</b><span>{escape_text(note)}</span></dd>"


def describe_map_quality(found: ProjectionQuality) -> list[NumberRow]:
    among = f"{found.neighbours} neighbours, among {found.points:,} points"
    return [
        ("trustworthiness", f"{found.trustworthiness:.3f}", among),
        ("neighbours kept", f"{100 * found.preservation:.0f} %", among),
    ]


def describe_workbench_distance(here: PointPath | None, ground: EmbeddedPoints) -> list[NumberRow]:
    if here is None:
        return []
    source, rebuilt, result = (f"{float(far):.3g}" for far in here.near)
    usual = f"{ground.typical:.3g} is usual between real images; rebuilding alone {rebuilt}"
    return [("nearest real one", f"{source} → {result}", usual)]


def describe_overlay(overlay: Overlay, ground: EmbeddedPoints) -> list[NumberRow]:
    match overlay:
        case MovedPoints():
            return describe_drift(overlay, ground)
        case PointPairs():
            return describe_set_pairs(overlay)
        case tuple():
            return [
                (
                    way.name,
                    f"{format_map_distance(way.near[0])} → {format_map_distance(way.near[-1])}",
                    describe_farthest_mark(way),
                )
                for way in overlay
            ]
    return []


def describe_drift(found: MovedPoints, ground: EmbeddedPoints) -> list[NumberRow]:
    off, count = int((found.near > ground.far).sum()), len(found.rows)
    move, rebuilt = found.tool.write_caption(), f"rebuilding alone {found.rebuilt:.3g}"
    rows = [
        (
            f"{count} moved",
            f"{float(found.before.median()):.3g} → {float(found.near.median()):.3g}",
            f"{move}; median distance to the nearest real one; {rebuilt}",
        ),
        ("off the data", f"{off} of {count}", f"further than {ground.far:.3g} from every real image"),
    ]
    if found.bits is not None:
        before, after = (sum(bits) / count for bits in found.bits)
        rows.append(("bits/dim", f"{format_bits(before)} → {format_bits(after)}", f"{after - before:+.3g} on average"))
    return rows


def describe_set_pairs(found: PointPairs) -> list[NumberRow]:
    transport, random = found.costs
    share = f"; transport needs {100 * transport / random:.0f} % of it" if random > 0 else ""
    note = f"over {len(found.rows)} pairs; at random {random:.3g}{share}"
    return [("squared distance", f"{transport:.3g}", note)]


def describe_farthest_mark(way: PointPath) -> str:
    place = int(way.near.argmax())
    most = f"at most {format_map_distance(way.near[place])} at {way.words[place]}"
    return f"distance to the nearest real one along it, {most}"


def draw_nearest(map_maker: MapMaker, plan: MapPlan, nearest: NearestPoints | None) -> str:
    """Draw the pictures nearest to the workbench's input and to its result, each with its distance."""
    if nearest is None:
        return ""
    return join_html(
        f'<h3 class="ll-heading">nearest to the {word} in the full space</h3>'
        f'<div class="ll-film">{draw_nearest_row(map_maker, plan, rows.tolist(), distances)}</div>'
        for word, rows, distances in zip(("input", "result"), nearest.rows, nearest.distances, strict=True)
    )


def draw_nearest_row(map_maker: MapMaker, plan: MapPlan, rows: list[int], distances: Tensor) -> str:
    """Draw one row of neighbours; a click takes the picture."""
    images, _ = map_maker.load_images(plan, rows)
    return join_html(
        f'<figure class="ll-tile"><button class="ll-jump" data-key="{row}" title="Take this picture.">'
        f"{draw_image(picture, f'{plan.source} {row}')}</button>"
        f"<figcaption><b>{format_map_distance(far)}</b><span>{plan.source} {row}</span></figcaption></figure>"
        for row, far, picture in zip(rows, distances, images, strict=True)
    )

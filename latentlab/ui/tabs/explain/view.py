"""Heat maps over their pictures, all on one colour scale that colour-blind people can read."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from latentlab.explainers import EXPLAINERS, Explainer, IntegratedGradients
from latentlab.images import ImageTensor
from latentlab.session import Session
from latentlab.session.explanation import ExplainedPair, stack_pictures
from latentlab.types import Images
from latentlab.ui.html import draw_image, draw_term, escape_text, join_html, spell_name
from latentlab.ui.stage.view import DIFFERENCE_GAIN, amplify_difference

EXPLAINER_LABELS = {
    "saliency": "saliency",
    "grad-cam": "Grad-CAM",
    "integrated-gradients": "integrated gradients",
    "occlusion": "occlusion",
}
HEAT_COLOURS = ("#17468f", "#6fa1d8", "#f4f4f2", "#e99f4c", "#9c4300")  # −1 to 1: blue, near white, orange
LEGEND_STEPS = 129  # of the legend
PICTURE_TITLES = ("original", "moved", "difference")
COMPLETENESS_NOTE = (
    "The map of integrated gradients adds up to logit(picture) − logit(baseline); what is missing is an error."
)


def colour_heat_map(values: Float[Tensor, "H W"]) -> ImageTensor:
    """Colour values from −1 to 1; what lies beyond takes the last colour."""
    stops = torch.tensor([[int(code[k : k + 2], 16) / 255 for k in (1, 3, 5)] for code in HEAT_COLOURS])
    place = (values.clamp(-1, 1) + 1) / 2 * (len(HEAT_COLOURS) - 1)
    low = place.floor().clamp_max(len(HEAT_COLOURS) - 2)
    share = (place - low)[..., None]
    mixed = stops[low.long()] * (1 - share) + stops[low.long() + 1] * share
    return mixed.permute(2, 0, 1)


def draw_explanation(explained: ExplainedPair) -> str:
    """Draw original, moved and their difference: each picture, and below it its map over it."""
    reach = explained.heat_limit or 1.0
    heats = [*explained.explanation.heat, explained.heat_change[0]]
    maps = [colour_heat_map(heat / reach) for heat in heats]
    pairs = join_html(
        _draw_map_pair(title, picture, under, draw_image(shown, f"{title}: map"), note)
        for title, picture, under, shown, note in zip(
            PICTURE_TITLES,
            _list_pictures(explained.pictures),
            _list_backgrounds(explained.pictures),
            maps,
            _describe_sums(explained),
            strict=True,
        )
    )
    return _lay_out_maps(pairs, _draw_legend(explained, reach))


def draw_pending_maps(session: Session, tool: Explainer, why: str = "") -> str:
    """Draw the pictures, and say what to do in the places of the maps."""
    pictures, words = stack_pictures(session), why or "Press Compute."
    pairs = join_html(
        _draw_map_pair(
            title,
            picture,
            under,
            f'<span class="ll-yet">{escape_text(words)}</span>',
            "not computed for these pictures",
        )
        for title, picture, under in zip(
            PICTURE_TITLES, _list_pictures(pictures), _list_backgrounds(pictures), strict=True
        )
    )
    return _lay_out_maps(pairs, f'<p class="ll-quiet">{escape_text(describe_explainer(tool))}</p>')


def _lay_out_maps(pairs: str, words: str) -> str:
    return f'<div class="ll-explained"><div class="ll-pairs">{pairs}</div><div class="ll-told">{words}</div></div>'


def describe_explainer(tool: Explainer) -> str:
    """Return what the method says of itself, in its own words."""
    return " ".join((type(tool).__doc__ or "").split())


def _draw_map_pair(title: str, picture: ImageTensor, under: ImageTensor, over: str, note: str) -> str:
    overlaid = f'<div class="ll-over">{draw_image(under, "")}{over}</div>'
    return (
        f'<figure class="ll-pair-of-maps">{draw_image(picture, title)}{overlaid}'
        f"<figcaption><b>{escape_text(title)}</b><span>{escape_text(note)}</span></figcaption></figure>"
    )


def _list_pictures(pictures: Images) -> list[ImageTensor]:
    return [pictures[0], pictures[1], amplify_difference(pictures[1], pictures[0])]


def _list_backgrounds(pictures: Images) -> list[ImageTensor]:
    """Return what each map lies over; the map of the difference lies over the moved picture."""
    return [pictures[0], pictures[1], pictures[1]]


def _describe_sums(explained: ExplainedPair) -> tuple[str, str, str]:
    """Say what each map adds up to."""
    sums = explained.explanation.heat.flatten(1).sum(1).tolist()
    share = f"picture: |moved − original| × {DIFFERENCE_GAIN}"
    told = explained.explanation
    if told.total is None or told.completeness_gap is None:
        return "", "", share
    total, gap = told.total.tolist(), told.completeness_gap.tolist()
    first, second = (
        f"Σ {s:.2f} of {t:.2f} logits, {_describe_gap(g)}" for s, t, g in zip(sums, total, gap, strict=True)
    )
    return first, second, share


def _describe_gap(gap: float) -> str:
    return f"{100 * gap:.1f} % missing" if gap < 10 else "nothing to add up to"


def _draw_legend(explained: ExplainedPair, reach: float) -> str:
    tool, label = explained.tool, spell_name(explained.asked_class)
    ramp = draw_image(colour_heat_map(torch.linspace(-1, 1, LEGEND_STEPS)[None]), "colour scale")
    signed = bool((explained.explanation.heat < 0).any())
    left = "against it" if signed else "less than in the original"
    right = "for it" if signed else "strongest"
    words = (
        f"Orange speaks for ‘{label}’, blue against." if signed else f"Orange: what moves the score of ‘{label}’ most."
    )
    lines = [
        f"{words} In the difference: orange more than in the original, blue less. One scale for all three.",
        describe_explainer(tool),
    ]
    if isinstance(tool, IntegratedGradients):
        lines.append(f"Below each map: completeness. The line starts at a {tool.baseline} picture.")
    unit = draw_term(tool.unit, COMPLETENESS_NOTE) if isinstance(tool, IntegratedGradients) else escape_text(tool.unit)
    legend = (
        f'<div class="ll-scale">{ramp}<span>−{reach:.2g}<br>{escape_text(left)}</span>'
        f"<span>+{reach:.2g}<br>{escape_text(right)}</span><span>{unit}</span></div>"
    )
    return legend + join_html(f'<p class="ll-quiet">{escape_text(line)}</p>' for line in lines)


assert EXPLAINER_LABELS.keys() == EXPLAINERS.keys()

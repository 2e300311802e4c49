"""Heat maps over their pictures, all on one colour scale that colour-blind people can read."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from latentlab.explainers import EXPLAINERS, Explainer, IntegratedGradients
from latentlab.images import Picture
from latentlab.session import Session
from latentlab.session.explain import Explained, both
from latentlab.types import Images
from latentlab.ui.markup import image, joined, term, text
from latentlab.ui.show import GAIN, difference, name

NAMES = {
    "saliency": "saliency",
    "grad-cam": "Grad-CAM",
    "integrated-gradients": "integrated gradients",
    "occlusion": "occlusion",
}
SCALE = ("#17468f", "#6fa1d8", "#f4f4f2", "#e99f4c", "#9c4300")  # −1 to 1: blue, near white, orange
STEPS = 129  # of the legend
TITLES = ("original", "moved", "difference")
COMPLETE = "The map of integrated gradients adds up to logit(picture) − logit(baseline); what is missing is an error."


def colours(values: Float[Tensor, "H W"]) -> Picture:
    """−1 to 1 as colours; what lies beyond takes the last one."""
    stops = torch.tensor([[int(code[k : k + 2], 16) / 255 for k in (1, 3, 5)] for code in SCALE])
    place = (values.clamp(-1, 1) + 1) / 2 * (len(SCALE) - 1)
    low = place.floor().clamp_max(len(SCALE) - 2)
    share = (place - low)[..., None]
    mixed = stops[low.long()] * (1 - share) + stops[low.long() + 1] * share
    return mixed.permute(2, 0, 1)


def view(explained: Explained) -> str:
    """Original, moved and their difference: each picture, and below it its map over it."""
    reach = explained.reach or 1.0
    heats = [*explained.told.heat, explained.difference[0]]
    maps = [colours(heat / reach) for heat in heats]
    pairs = joined(
        _pair(title, picture, under, image(shown, f"{title}: map"), note)
        for title, picture, under, shown, note in zip(
            TITLES, _pictures(explained.pictures), _under(explained.pictures), maps, _notes(explained), strict=True
        )
    )
    return _page(pairs, _legend(explained, reach))


def waiting(session: Session, tool: Explainer, why: str = "") -> str:
    """The pictures, and instead of the maps what to do."""
    pictures, words = both(session), why or "Press Compute."
    pairs = joined(
        _pair(title, picture, under, f'<span class="ll-yet">{text(words)}</span>', "not computed for these pictures")
        for title, picture, under in zip(TITLES, _pictures(pictures), _under(pictures), strict=True)
    )
    return _page(pairs, f'<p class="ll-quiet">{text(about(tool))}</p>')


def _page(pairs: str, words: str) -> str:
    return f'<div class="ll-explained"><div class="ll-pairs">{pairs}</div><div class="ll-told">{words}</div></div>'


def about(tool: Explainer) -> str:
    """What the method says, in its own words."""
    return " ".join((type(tool).__doc__ or "").split())


def _pair(title: str, picture: Picture, under: Picture, over: str, note: str) -> str:
    return (
        f'<figure class="ll-pair-of-maps">{image(picture, title)}<div class="ll-over">{image(under, "")}{over}</div>'
        f"<figcaption><b>{text(title)}</b><span>{text(note)}</span></figcaption></figure>"
    )


def _pictures(pictures: Images) -> list[Picture]:
    return [pictures[0], pictures[1], difference(pictures[1], pictures[0])]


def _under(pictures: Images) -> list[Picture]:
    """What each map lies over; that of the difference over the moved picture."""
    return [pictures[0], pictures[1], pictures[1]]


def _notes(explained: Explained) -> tuple[str, str, str]:
    """What each map adds up to."""
    sums = explained.told.heat.flatten(1).sum(1).tolist()
    share = f"picture: |moved − original| × {GAIN}"
    told = explained.told
    if told.total is None or told.gap is None:
        return "", "", share
    total, gap = told.total.tolist(), told.gap.tolist()
    first, second = (f"Σ {s:.2f} of {t:.2f} logits, {_missing(g)}" for s, t, g in zip(sums, total, gap, strict=True))
    return first, second, share


def _missing(gap: float) -> str:
    return f"{100 * gap:.1f} % missing" if gap < 10 else "nothing to add up to"


def _legend(explained: Explained, reach: float) -> str:
    tool, label = explained.tool, name(explained.asked)
    ramp = image(colours(torch.linspace(-1, 1, STEPS)[None]), "colour scale")
    signed = bool((explained.told.heat < 0).any())
    left = "against it" if signed else "less than in the original"
    right = "for it" if signed else "strongest"
    words = (
        f"Orange speaks for ‘{label}’, blue against." if signed else f"Orange: what moves the score of ‘{label}’ most."
    )
    lines = [
        f"{words} In the difference: orange more than in the original, blue less. One scale for all three.",
        about(tool),
    ]
    if isinstance(tool, IntegratedGradients):
        lines.append(f"Below each map: completeness. The line starts at a {tool.baseline} picture.")
    unit = term(tool.unit, COMPLETE) if isinstance(tool, IntegratedGradients) else text(tool.unit)
    legend = (
        f'<div class="ll-scale">{ramp}<span>−{reach:.2g}<br>{text(left)}</span>'
        f"<span>+{reach:.2g}<br>{text(right)}</span><span>{unit}</span></div>"
    )
    return legend + joined(f'<p class="ll-quiet">{text(line)}</p>' for line in lines)


assert NAMES.keys() == EXPLAINERS.keys()

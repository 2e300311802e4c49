"""Directions that hold at one code alone: how its neighbours spread, and where the classifier's decision turns.

They follow from the code, the networks and the world's images, so a name is enough to find them again: `local-1` is
the first principal component of the nearest codes of the world's images (LatentGandr, 2026, walks along such),
`decision` the gradient of the best other logit minus the best one, 1 σ of the prior long, and `decision-inside` its
part in the subspace in which those codes vary most. With `-drawn` samples of the model stand in for the images.
"""

from __future__ import annotations

import re

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from latentlab.chance import make_generator
from latentlab.errors import UserError
from latentlab.operators.classification import compute_logits
from latentlab.operators.latent_operator import decode
from latentlab.principal_directions import find_principal_directions
from latentlab.torch_modes import copy_inference_tensor
from latentlab.types import Bench, Flat, Latents

LOCAL_NAME = re.compile(r"(?P<local>local)(?P<drawn>-drawn)?-(?P<place>[1-9])")
DECISION_NAME = re.compile(r"decision(?P<inside>-inside(?P<drawn>-drawn)?)?")
NEIGHBOUR_COUNT = 32
REFERENCE_COUNT = 256  # codes among which neighbours are found
SUBSPACE_SIZE = 50  # components of the codes' subspace
NO_VARIANCE = 1e-3  # of the first component's deviation: below it an axis is rounding error
LOCAL_COMPONENTS = 3  # components of the neighbours that are worth a look


def is_local_direction(name: str) -> bool:
    """Say whether the name is of a direction that holds at one code alone."""
    return bool(LOCAL_NAME.fullmatch(name) or DECISION_NAME.fullmatch(name))


def asks_classifier(name: str) -> bool:
    """Say whether the direction changes with the classifier."""
    return bool(DECISION_NAME.fullmatch(name))


def needs_images(name: str) -> bool:
    """Say whether the direction is found among the world's images."""
    match = LOCAL_NAME.fullmatch(name) or re.fullmatch(r"decision-inside(?P<drawn>-drawn)?", name)
    return match is not None and not match["drawn"]


def list_local_directions(drawn: bool, classified: bool) -> tuple[str, ...]:
    """List the names of those that can be found: from samples or from images, with a classifier or without."""
    source = "-drawn" if drawn else ""
    names = [f"local{source}-{place}" for place in range(1, LOCAL_COMPONENTS + 1)]
    return (*names, *(("decision", f"decision-inside{source}") if classified else ()))


@torch.inference_mode(False)
@torch.no_grad()
def find_local_direction(name: str, latents: Latents, bench: Bench) -> Flat:
    """Return the direction of this name at each row of the latents."""
    z = copy_inference_tensor(latents.flat)
    if match := LOCAL_NAME.fullmatch(name):
        codes = _find_reference_codes(bench, bool(match["drawn"])).to(z)
        return torch.stack([_find_neighbour_component(row, codes, int(match["place"])) for row in z])
    match = DECISION_NAME.fullmatch(name)
    assert match is not None
    slope = _point_across_decision(latents.map(copy_inference_tensor), bench)
    return _keep_inside(slope, _find_reference_codes(bench, bool(match["drawn"])).to(z)) if match["inside"] else slope


def _find_reference_codes(bench: Bench, drawn: bool) -> Flat:
    if drawn:
        return bench.model.sample(REFERENCE_COUNT, make_generator(0)).flat
    if bench.encode_references is None:
        raise UserError("There are no images here to find neighbours among; choose local-drawn-1 or decision.")
    return bench.encode_references()


def _find_neighbour_component(z: Float[Tensor, " D"], codes: Flat, place: int) -> Float[Tensor, " D"]:
    nearest = codes[torch.cdist(z[None], codes)[0].topk(min(NEIGHBOUR_COUNT, len(codes)), largest=False).indices]
    found = find_principal_directions(nearest, place)
    if f"pc{place}" not in found:
        raise UserError(f"There are too few images for local-{place}; choose local-drawn-{place}.")
    return found[f"pc{place}"]


def _point_across_decision(latents: Latents, bench: Bench) -> Flat:
    """Return ∇(second − first) of the two best logits, of length 1: up it, the decision turns."""
    with torch.enable_grad():
        z = latents.flat.detach().clone().requires_grad_()
        logits = compute_logits(bench, decode(bench.model, latents.unflat(z)))
        if logits.shape[1] < 2:
            raise UserError("This classifier has a single class, so there is no decision to cross; choose another.")
        first, second = logits.topk(2, 1).values.T
        (slope,) = torch.autograd.grad((second - first).sum(), z)
    tiny = torch.finfo(slope.dtype).tiny
    return normalize(slope / slope.abs().amax(1, keepdim=True).clamp_min(tiny), dim=1)


def _keep_inside(slope: Flat, codes: Float[Tensor, "N D"]) -> Flat:
    """Return the part in the span of the codes' first components, as long as their deviation along it."""
    found = torch.stack(list(find_principal_directions(codes, SUBSPACE_SIZE).values()))
    lengths = found.norm(dim=1)
    axes = normalize(found[lengths > NO_VARIANCE * lengths[0]], dim=1)
    unit = normalize(slope @ axes.T @ axes, dim=1)
    return unit * (codes @ unit.T).std(0)[:, None]

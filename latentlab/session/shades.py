"""What the colours of a map tell: true classes, what a classifier says, bits per dimension, clusters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float, Int
from torch import Tensor

from latentlab.errors import UserError
from latentlab.projections.fitted import framed
from latentlab.session.chores import Chore
from latentlab.session.desk import levels
from latentlab.types import Flat

if TYPE_CHECKING:
    from latentlab.session.atlas import Atlas, Ground, Plan

SHADES = ("label", "prediction", "correctness", "loss", "bits/dim", "attribute", "cluster", "nothing")
PIECE = 16  # images between two reports
CLUSTERS, AXES = 10, 50


@dataclass(frozen=True)
class Shade:
    """What a point's colour tells. `detail` is the attribute; the classifier is whose prediction or loss it is."""

    kind: str = "label"
    classifier: str = ""
    detail: str = ""


@dataclass(frozen=True, eq=False)
class Values:
    """A number a point: of one of the names, or on a scale where there are none."""

    numbers: Float[Tensor, " N"] | Int[Tensor, " N"]
    names: tuple[str, ...] = ()
    unit: str = ""


def read(atlas: Atlas, plan: Plan, ground: Ground, shade: Shade, chore: Chore) -> Values:
    match shade.kind:
        case "nothing":
            return Values(torch.zeros(plan.count, dtype=torch.long), ("image",))
        case "cluster":
            return clusters(ground.points)
        case "bits/dim":
            return _bits(atlas, plan, chore)
        case "label" | "attribute":
            return _true(atlas, plan, shade)
    return _judged(atlas, plan, shade, chore)


def _true(atlas: Atlas, plan: Plan, shade: Shade) -> Values:
    if plan.source == "drawn":
        raise UserError(f"Samples have no true {shade.kind}; colour them by prediction, cluster or bits/dim.")
    world = atlas.desk.dataset(plan.world)
    labels, classes = getattr(world, plan.source).labels[: plan.count], world.classes
    if labels.ndim == 1:
        return Values(labels, tuple(classes))
    if shade.detail not in classes:
        raise UserError(f"There is no attribute {shade.detail[:40]!r}; choose one of {', '.join(classes[:8])} ….")
    return Values(labels[:, classes.index(shade.detail)], (f"not {shade.detail}", shade.detail))


def _judged(atlas: Atlas, plan: Plan, shade: Shade, chore: Chore) -> Values:
    """By the classifier: its class, whether that is the true one, the cross-entropy to the true one."""
    if not shade.classifier:
        raise UserError("This world has no classifier; colour by label, cluster or bits/dim.")
    network = atlas.desk.store.load(shade.classifier)
    logits, labels = [], []
    for start in range(0, plan.count, PIECE):
        images, true = atlas.images(plan, plan.rows[start : start + PIECE])
        with torch.no_grad():
            logits.append(network(images.to(atlas.desk.store.device)).float().cpu())
        labels.append(None if true is None else true_numbers(atlas, plan.world, shade.classifier, true))
        chore.told("", (start + len(images)) / plan.count)
    seen = torch.cat(logits)
    if shade.kind == "prediction":
        return Values(seen.argmax(1), tuple(network.classes))
    known = [part for part in labels if part is not None]
    if not known:
        raise UserError(f"Samples have no true class, so no {shade.kind}; colour them by prediction.")
    if shade.kind == "correctness":
        return Values((seen.argmax(1) != torch.cat(known)).long(), ("right", "wrong"))
    return Values(torch.nn.functional.cross_entropy(seen, torch.cat(known), reduction="none"), unit="loss [nats]")


def true_numbers(atlas: Atlas, world: str, classifier: str, labels: Tensor) -> Tensor:
    """The true classes as the classifier counts them."""
    if labels.ndim == 1:
        return labels
    name = atlas.desk.store.load(classifier).classes[-1]
    return labels[:, atlas.desk.dataset(world).classes.index(name)]


def _bits(atlas: Atlas, plan: Plan, chore: Chore) -> Values:
    flow = atlas.desk.density(plan.world)
    if flow is None:
        raise UserError("This world has no flow that knows bits/dim; colour by something else.")
    bits: list[float] = []
    for start in range(0, plan.count, PIECE):
        images, _ = atlas.images(plan, plan.rows[start : start + PIECE])
        bits += atlas.desk.bits(flow, levels(images))
        chore.told("", len(bits) / plan.count)
    return Values(torch.tensor(bits), unit="bits/dim")


def clusters(points: Flat) -> Values:
    """k-means in the first principal components (Lloyd; scikit-learn's)."""
    from sklearn.cluster import KMeans

    count = min(CLUSTERS, len(points))
    _, coordinates = framed(points, AXES)
    found = KMeans(count, n_init="auto", random_state=0).fit_predict(coordinates.numpy())
    return Values(torch.from_numpy(found).long(), tuple(f"cluster {k + 1}" for k in range(count)))

"""What the colours of a map say: true classes, a classifier's answers, bits per dimension, clusters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float, Int
from torch import Tensor

from latentlab.errors import UserError
from latentlab.images import round_levels
from latentlab.projections.fitted import fit_frame
from latentlab.session.jobs import Job
from latentlab.session.map.layout import EmbeddedPoints
from latentlab.session.map.plan import MapPlan
from latentlab.types import Flat

if TYPE_CHECKING:
    from latentlab.session.map.service import MapMaker

COLOURING_KINDS = ("label", "prediction", "correctness", "loss", "bits/dim", "attribute", "cluster", "nothing")
COLOURING_CHUNK = 16  # images between two reports
CLUSTER_COUNT, CLUSTERED_AXES = 10, 50


@dataclass(frozen=True)
class Colouring:
    """A `Colouring` says what a point's colour means.

    `detail` is the attribute; the classifier is whose prediction or loss it is.
    """

    kind: str = "label"
    classifier: str = ""
    detail: str = ""


@dataclass(frozen=True, eq=False)
class PointValues:
    """`PointValues` hold a number a point: its place among the names, or a value on a scale where there are none."""

    numbers: Float[Tensor, " N"] | Int[Tensor, " N"]
    names: tuple[str, ...] = ()
    unit: str = ""


def compute_values(
    map_maker: MapMaker, plan: MapPlan, ground: EmbeddedPoints, shade: Colouring, job: Job
) -> PointValues:
    """Compute the number that colours each point of a plan."""
    match shade.kind:
        case "nothing":
            return PointValues(torch.zeros(plan.count, dtype=torch.long), ("image",))
        case "cluster":
            return find_clusters(ground.points)
        case "bits/dim":
            return _compute_bits(map_maker, plan, job)
        case "label" | "attribute":
            return _read_true_values(map_maker, plan, shade)
    return _judge_points(map_maker, plan, shade, job)


def _read_true_values(map_maker: MapMaker, plan: MapPlan, shade: Colouring) -> PointValues:
    """Return the true classes, or whether the images have the attribute."""
    if plan.source == "drawn":
        raise UserError(f"Samples have no true {shade.kind}; colour them by prediction, cluster or bits/dim.")
    world = map_maker.workspace.load_dataset(plan.world)
    labels, classes = getattr(world, plan.source).labels[: plan.count], world.classes
    world.require_classes()
    if labels.ndim == 1:
        return PointValues(labels, tuple(classes))
    if shade.detail not in classes:
        raise UserError(f"There is no attribute {shade.detail[:40]!r}; choose one of {', '.join(classes[:8])} ….")
    return PointValues(labels[:, classes.index(shade.detail)], (f"not {shade.detail}", shade.detail))


def _judge_points(map_maker: MapMaker, plan: MapPlan, shade: Colouring, job: Job) -> PointValues:
    """Return the classifier's class, whether that is the true one, or the cross-entropy to the true one in nats."""
    if not shade.classifier:
        raise UserError("This world has no classifier; colour by label, cluster or bits/dim.")
    network = map_maker.workspace.store.load(shade.classifier)
    logits, labels = [], []
    for start in range(0, plan.count, COLOURING_CHUNK):
        images, true = map_maker.load_images(plan, plan.row_range[start : start + COLOURING_CHUNK])
        with torch.no_grad():
            logits.append(network(images.to(map_maker.workspace.store.device)).float().cpu())
        labels.append(None if true is None else number_true_classes(map_maker, plan.world, shade.classifier, true))
        job.report_progress("", (start + len(images)) / plan.count)
    seen = torch.cat(logits)
    if shade.kind == "prediction":
        return PointValues(seen.argmax(1), tuple(network.classes))
    known = [part for part in labels if part is not None]
    if not known:
        raise UserError(f"These pictures have no true class, so no {shade.kind}; colour them by prediction.")
    if shade.kind == "correctness":
        return PointValues((seen.argmax(1) != torch.cat(known)).long(), ("right", "wrong"))
    return PointValues(torch.nn.functional.cross_entropy(seen, torch.cat(known), reduction="none"), unit="loss [nats]")


def number_true_classes(map_maker: MapMaker, world: str, classifier: str, labels: Tensor) -> Tensor:
    """Return the true classes as the classifier counts them."""
    if labels.ndim == 1:
        return labels
    name = map_maker.workspace.store.load(classifier).classes[-1]
    return labels[:, map_maker.workspace.load_dataset(world).classes.index(name)]


def _compute_bits(map_maker: MapMaker, plan: MapPlan, job: Job) -> PointValues:
    """Return each image's bits per dimension under the world's flow."""
    flow = map_maker.workspace.find_density_model(plan.world)
    if flow is None:
        raise UserError("This world has no flow that knows bits/dim; colour by something else.")
    bits: list[float] = []
    for start in range(0, plan.count, COLOURING_CHUNK):
        images, _ = map_maker.load_images(plan, plan.row_range[start : start + COLOURING_CHUNK])
        bits += map_maker.workspace.measure_bits(flow, round_levels(images))
        job.report_progress("", len(bits) / plan.count)
    return PointValues(torch.tensor(bits), unit="bits/dim")


def find_clusters(points: Flat) -> PointValues:
    """Find clusters by k-means in the first principal components (Lloyd; scikit-learn's)."""
    from sklearn.cluster import KMeans

    count = min(CLUSTER_COUNT, len(points))
    _, coordinates = fit_frame(points, CLUSTERED_AXES)
    found = KMeans(count, n_init="auto", random_state=0).fit_predict(coordinates.numpy())
    return PointValues(torch.from_numpy(found).long(), tuple(f"cluster {k + 1}" for k in range(count)))

"""PaCMAP (Wang, Huang, Rudin and Shaposhnik, JMLR 2021, arXiv 2012.04456), with exact neighbours and no compiler."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from latentlab import chance
from latentlab.errors import UserError
from latentlab.knobs import Knob, tool
from latentlab.projections.fitted import (
    FittedProjection,
    PlaneCoordinates,
    StageReporter,
    check_points,
    digest_points,
    fit_frame,
)
from latentlab.projections.neighbours import find_neighbours_among
from latentlab.types import Flat

PACMAP_COMPONENTS = 100  # principal components in which neighbours are looked for, as the authors do
EXTRA_CANDIDATES = 50  # candidates beside the neighbours that are kept
MID_NEAR_TRIES = 6  # of which the second nearest is a mid-near partner
PHASE_STEPS = (100, 100, 250)
BETA1, BETA2 = 0.9, 0.999

Partners = Int[Tensor, "N _"]  # a column a partner


@tool
class PaCMAP:
    """Neighbours pulled together, far points pushed apart, mid-near ones holding the whole in its shape at first."""

    dims: Annotated[int, Knob("axes of the picture", 2, 3)] = 2
    neighbours: Annotated[int, Knob("points that are kept near each other", 2, 100)] = 10
    metric: Annotated[Literal["euclidean", "cosine"], Knob("distance between points, or angle")] = "euclidean"
    seed: Annotated[int, Knob("of the mid-near and far partners", 0, 2**31 - 1)] = 0

    def fit(self, points: Flat, progress: StageReporter = lambda stage, share: None) -> FittedProjection:
        points = check_points(points, least=4 * self.neighbours)
        frame, anchors = fit_frame(points, PACMAP_COMPONENTS, self.metric == "cosine")
        rng = chance.make_generator(self.seed)
        near = find_near_partners(anchors, self.neighbours, progress)
        middle = draw_mid_near_partners(anchors, self.neighbours // 2, rng)
        far = draw_far_partners(near, 2 * self.neighbours, rng)
        scale = anchors[:, 0].std()
        if scale == 0:
            raise UserError("All points are the same point; choose other images or another model.")
        places = optimise_layout(0.01 * anchors[:, : self.dims] / scale, near, middle, far, progress)
        return FittedProjection(self, digest_points(points), places, frame, anchors)


def find_near_partners(points: Flat, count: int, progress: StageReporter) -> Partners:
    """Choose the neighbours by d² / (σ_i σ_j), σ the mean distance of a point's fourth to sixth neighbours."""
    wide = min(count + EXTRA_CANDIDATES, len(points) - 1)
    distances, rows = find_neighbours_among(points, wide, lambda share: progress("neighbours", share))
    sigma = distances[:, 3:6].mean(1).clamp_min(1e-10)
    scaled = distances.square() / sigma[:, None] / sigma[rows]
    return rows.gather(1, scaled.topk(count, largest=False).indices)


def draw_mid_near_partners(points: Flat, count: int, rng: torch.Generator) -> Partners:
    """Draw six points at random and take the second nearest, once for every partner."""
    columns = []
    for _ in range(count):
        tried = _draw_other_rows(len(points), MID_NEAR_TRIES, rng)
        distances = torch.stack([(points - points[column]).square().sum(1) for column in tried.T], 1)
        columns.append(tried.gather(1, distances.topk(2, largest=False, sorted=True).indices[:, 1:]))
    return torch.cat(columns, 1)


def draw_far_partners(near: Partners, count: int, rng: torch.Generator) -> Partners:
    """Draw partners at random among those that are no neighbours."""
    chosen = _draw_other_rows(len(near), count, rng)
    while (clash := (chosen[:, :, None] == near[:, None, :]).any(2)).any():
        chosen[clash] = _draw_other_rows(len(near), count, rng)[clash]
    return chosen


def _draw_other_rows(rows: int, count: int, rng: torch.Generator) -> Partners:
    """Draw random rows, never the own one."""
    steps = torch.randint(1, rows, (rows, count), generator=rng)
    return (torch.arange(rows)[:, None] + steps) % rows


def optimise_layout(
    start: PlaneCoordinates, near: Partners, middle: Partners, far: Partners, progress: StageReporter
) -> PlaneCoordinates:
    """Move the points by Adam at rate 1 on Σ w d̃ / (10 + d̃) over neighbours, w d̃ / (10⁴ + d̃) over mid-near and
    w / (1 + d̃) over far pairs, with d̃ = 1 + |y_i − y_j|².
    """
    columns = [near, middle, far]
    sizes = [part.shape[1] for part in columns]
    partners = torch.cat(columns, 1).T.contiguous()
    y = start.T.contiguous()  # P N: a gather of numbers that lie together
    m, v = torch.zeros_like(y), torch.zeros_like(y)
    for step in range(sum(PHASE_STEPS)):
        w_near, w_middle, w_far = schedule_pair_weights(step)
        slope = _repeat_values(sizes, (20 * w_near, 20_000 * w_middle, -2 * w_far))
        g = compute_layout_gradient(y, partners, slope, _repeat_values(sizes, (10.0, 10_000.0, 1.0)))
        m.lerp_(g, 1 - BETA1)
        v.lerp_(g.square(), 1 - BETA2)
        rate = (1 - BETA2 ** (step + 1)) ** 0.5 / (1 - BETA1 ** (step + 1))
        y -= rate * m / (v.sqrt() + 1e-7)
        progress("layout", (step + 1) / sum(PHASE_STEPS))
    return y.T.contiguous()


def schedule_pair_weights(step: int) -> tuple[float, float, float]:
    """Return the weights of neighbours, mid-near and far pairs, as the authors schedule them."""
    first, second, _ = PHASE_STEPS
    if step < first:
        return 2.0, 1000 * (1 - step / first) + 3 * step / first, 1.0
    return (3.0, 3.0, 1.0) if step < first + second else (1.0, 0.0, 1.0)


def compute_layout_gradient(
    y: Float[Tensor, "P N"],
    partners: Int[Tensor, "K N"],
    slope: Float[Tensor, "K 1"],
    offset: Float[Tensor, "K 1"],
) -> Float[Tensor, "P N"]:
    """Return Σ slope / (offset + d̃)² · (y_i − y_j) on i, and its opposite on j."""
    flat = partners.flatten()
    apart = [axis - axis.index_select(0, flat).view_as(partners) for axis in y]
    d = sum((a.square() for a in apart), start=torch.ones(()))
    force = slope / (offset + d).square()
    return torch.stack([_balance_forces(force * a, flat) for a in apart])


def _balance_forces(push: Float[Tensor, "K N"], flat: Int[Tensor, " KN"]) -> Float[Tensor, " N"]:
    received = torch.zeros(push.shape[1]).scatter_add_(0, flat, push.flatten())
    return push.sum(0) - received


def _repeat_values(sizes: list[int], values: tuple[float, float, float]) -> Float[Tensor, "K 1"]:
    return torch.cat([torch.full((size, 1), value) for size, value in zip(sizes, values, strict=True)])

"""UMAP (McInnes, Healy and Melville 2018, arXiv 1802.03426) by umap-learn, given exact neighbours."""

from __future__ import annotations

import warnings
from contextlib import redirect_stdout
from io import StringIO
from threading import Lock
from typing import Annotated, Literal

import numpy as np
import torch

from latentlab.knobs import Knob, tool
from latentlab.projections.fitted import (
    FittedProjection,
    PlaneCoordinates,
    StageReporter,
    check_points,
    digest_points,
    fit_frame,
)
from latentlab.projections.neighbours import NeighbourDistances, NeighbourRows, ShareReporter, find_neighbours_among
from latentlab.types import Flat

UMAP_COMPONENTS = 100  # principal components in which neighbours are looked for
_numba_lock = Lock()  # numba's workqueue layer ends the process when two threads meet in it


@tool
class UMAP:
    """A graph of fuzzy neighbourhoods laid out anew: neighbourhoods are kept, distances between groups say little.

    Its fit belongs into a `ProjectionWorker`; `transform` is ours (see `FittedProjection`) and needs no compiler.
    """

    dims: Annotated[int, Knob("axes of the picture", 2, 3)] = 2
    neighbours: Annotated[int, Knob("points of a neighbourhood, itself among them", 2, 100)] = 15
    min_dist: Annotated[float, Knob("how near points may lie in the picture", 0, 0.99)] = 0.1
    metric: Annotated[Literal["euclidean", "cosine"], Knob("distance between points, or angle")] = "euclidean"
    seed: Annotated[int, Knob("of the layout's random steps", 0, 2**31 - 1)] = 0

    def fit(self, points: Flat, progress: StageReporter = lambda stage, share: None) -> FittedProjection:
        points = check_points(points, least=self.neighbours + 5)
        frame, anchors = fit_frame(points, UMAP_COMPONENTS, self.metric == "cosine")
        distances, rows = find_neighbours_among(
            anchors, self.neighbours - 1, lambda share: progress("neighbours", share)
        )
        progress("compiling", 0.0)
        with _numba_lock:
            places = _lay_out_points(self, anchors, distances, rows, lambda share: progress("layout", share))
        return FittedProjection(self, digest_points(points), places, frame, anchors)


def _lay_out_points(
    tool: UMAP, points: Flat, distances: NeighbourDistances, rows: NeighbourRows, step: ShareReporter
) -> PlaneCoordinates:
    import umap

    own = torch.arange(len(points))[:, None]  # umap-learn counts a point as its own first neighbour
    known = (
        torch.cat([own, rows], 1).int().numpy(),
        torch.cat([torch.zeros_like(distances[:, :1]), distances], 1).numpy(),
    )
    reducer = umap.UMAP(
        n_components=tool.dims,
        n_neighbors=tool.neighbours,
        min_dist=tool.min_dist,
        random_state=tool.seed,
        n_jobs=1,
        precomputed_knn=known,
        verbose=True,
        tqdm_kwds={"file": _ProgressBarFile(step), "bar_format": "{percentage}", "desc": "", "mininterval": 0.1},
    )
    threads = torch.get_num_threads()  # umap-learn leaves numba's own number, which the two share under OpenMP
    with warnings.catch_warnings(), redirect_stdout(StringIO()):
        warnings.filterwarnings("ignore", message=".*(NNDescent|pectral|isconnected).*")  # transform is ours
        try:
            places = reducer.fit_transform(points.numpy())
        finally:
            torch.set_num_threads(threads)
    return torch.from_numpy(np.ascontiguousarray(places, dtype=np.float32))


class _ProgressBarFile:
    """The file that umap-learn writes its progress bar to: percentages and nothing else."""

    def __init__(self, step: ShareReporter) -> None:
        self._step = step

    def write(self, text: str) -> None:
        if number := text.strip("\r\n \x1b[A"):
            self._step(min(1.0, float(number) / 100))

    def flush(self) -> None:
        """Do nothing: nothing is held back."""

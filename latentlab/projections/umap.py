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
from latentlab.projections.fitted import Fitted, Plane, Progress, checked, digest, framed
from latentlab.projections.neighbours import Distances, Rows, Step, among
from latentlab.types import Flat

COMPONENTS = 100  # principal components in which neighbours are looked for
_one_at_a_time = Lock()  # numba's workqueue layer ends the process when two threads meet in it


@tool
class UMAP:
    """A graph of fuzzy neighbourhoods laid out anew: neighbourhoods are kept, distances between groups say little.

    Its fit belongs into a `Worker`; `transform` is ours (see `Fitted`) and needs no compiler.
    """

    dims: Annotated[int, Knob("axes of the picture", 2, 3)] = 2
    neighbours: Annotated[int, Knob("points of a neighbourhood, itself among them", 2, 100)] = 15
    min_dist: Annotated[float, Knob("how near points may lie in the picture", 0, 0.99)] = 0.1
    metric: Annotated[Literal["euclidean", "cosine"], Knob("distance between points, or angle")] = "euclidean"
    seed: Annotated[int, Knob("of the layout's random steps", 0, 2**31 - 1)] = 0

    def fit(self, points: Flat, progress: Progress = lambda stage, share: None) -> Fitted:
        points = checked(points, least=self.neighbours + 5)
        frame, anchors = framed(points, COMPONENTS, self.metric == "cosine")
        distances, rows = among(anchors, self.neighbours - 1, lambda share: progress("neighbours", share))
        progress("compiling", 0.0)
        with _one_at_a_time:
            places = _laid_out(self, anchors, distances, rows, lambda share: progress("layout", share))
        return Fitted(self, digest(points), places, frame, anchors)


def _laid_out(tool: UMAP, points: Flat, distances: Distances, rows: Rows, step: Step) -> Plane:
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
        tqdm_kwds={"file": _Shares(step), "bar_format": "{percentage}", "desc": "", "mininterval": 0.1},
    )
    threads = torch.get_num_threads()  # umap-learn leaves numba's own number, which the two share under OpenMP
    with warnings.catch_warnings(), redirect_stdout(StringIO()):
        warnings.filterwarnings("ignore", message=".*(NNDescent|pectral|isconnected).*")  # transform is ours
        try:
            places = reducer.fit_transform(points.numpy())
        finally:
            torch.set_num_threads(threads)
    return torch.from_numpy(np.ascontiguousarray(places, dtype=np.float32))


class _Shares:
    """The file that umap-learn writes its progress bar to: percentages and nothing else."""

    def __init__(self, step: Step) -> None:
        self._step = step

    def write(self, text: str) -> None:
        if number := text.strip("\r\n \x1b[A"):
            self._step(min(1.0, float(number) / 100))

    def flush(self) -> None:
        """Nothing is held back."""

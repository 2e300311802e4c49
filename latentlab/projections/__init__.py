"""Points of a space in the plane: settings in the tool, `fit` on the clean points, `transform` for the moved ones.

Also here are the process that fits the slow ones and the memory of fits on the disk. What a map shows is `session.map`.
"""

from __future__ import annotations

from latentlab.projections.cache import ProjectionCache
from latentlab.projections.fitted import FittedProjection, Projection, StageReporter
from latentlab.projections.pacmap import PaCMAP
from latentlab.projections.pca import PCA
from latentlab.projections.quality import NearestPoints, ProjectionQuality, find_nearest, measure_projection
from latentlab.projections.umap import UMAP
from latentlab.projections.worker import ProjectionJob, ProjectionWorker

__all__ = [
    "PCA",
    "PROJECTIONS",
    "UMAP",
    "FittedProjection",
    "NearestPoints",
    "PaCMAP",
    "Projection",
    "ProjectionCache",
    "ProjectionJob",
    "ProjectionQuality",
    "ProjectionWorker",
    "StageReporter",
    "find_nearest",
    "measure_projection",
]

PROJECTIONS: dict[str, type[Projection]] = {"pca": PCA, "pacmap": PaCMAP, "umap": UMAP}

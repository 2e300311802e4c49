"""Points of a space in the plane: settings in the tool, `fit` on the clean points, `transform` for the moved ones."""

from __future__ import annotations

from latentlab.projections.cache import Cache
from latentlab.projections.fitted import Fitted, Progress, Projection
from latentlab.projections.pacmap import PaCMAP
from latentlab.projections.pca import PCA
from latentlab.projections.quality import Near, Quality, nearest, quality
from latentlab.projections.umap import UMAP
from latentlab.projections.worker import Job, Worker

__all__ = [
    "PCA",
    "PROJECTIONS",
    "UMAP",
    "Cache",
    "Fitted",
    "Job",
    "Near",
    "PaCMAP",
    "Progress",
    "Projection",
    "Quality",
    "Worker",
    "nearest",
    "quality",
]

PROJECTIONS: dict[str, type[Projection]] = {"pca": PCA, "pacmap": PaCMAP, "umap": UMAP}

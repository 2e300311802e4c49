"""Each projection's time and how far it can be trusted, on latents and features of CIFAR-10; all in one run.

python -m benchmarks.projections [--count 2000] [--spaces cifar10-glow cifar10-vae cifar10-resnet] [--data cifar10]

Times are CPU seconds, which a busy machine does not blur; the first fit of UMAP compiles it.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

from latentlab import datasets, embeddings
from latentlab.projections import PROJECTIONS, FittedProjection, find_nearest, measure_projection
from latentlab.store import Store


def timed(call: Callable[[], Any]) -> tuple[Any, float]:
    start = time.process_time()
    return call(), time.process_time() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="cifar10")
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--spaces", nargs="*", default=["cifar10-glow", "cifar10-vae", "cifar10-resnet"])
    options = parser.parse_args()
    store, world = Store(device="cpu"), datasets.load_world(options.data)
    images = world.test.take_batch(slice(0, options.count))[0]
    others = world.test.take_batch(slice(options.count, options.count + 200))[0]
    for name in options.spaces:
        points = embeddings.embed_images(store.load(name), images)
        held_out = embeddings.embed_images(store.load(name), others)
        print(
            f"{name}: {len(points)} points of {points.shape[1]} coordinates; of {len(held_out)} others the nearest is "
            f"{find_nearest(held_out, points).distances.mean():.2f} away"
        )
        compare(points, held_out)


def compare(points: embeddings.Flat, held_out: embeddings.Flat) -> None:
    print(
        f"  {'':8} {'first':>8} {'again':>8} {'of UMAP':>8}  trustworthiness  preserved  transform of {len(held_out)}"
    )
    found: dict[str, tuple[FittedProjection, float, float]] = {}
    for method, cls in PROJECTIONS.items():
        _, first = timed(lambda cls=cls: cls().fit(points))
        fitted, again = timed(lambda cls=cls: cls().fit(points))
        found[method] = fitted, first, again
    for method, (fitted, first, again) in found.items():
        figures = measure_projection(points, fitted.coordinates)
        _, moving = timed(lambda fitted=fitted: fitted.transform(held_out))
        print(
            f"  {method:8} {first:7.2f}s {again:7.2f}s {again / found['umap'][2]:8.3f}  "
            f"{figures.trustworthiness:15.4f}  {figures.preservation:9.1%}  {moving * 1000:9.0f} ms"
        )


if __name__ == "__main__":
    main()

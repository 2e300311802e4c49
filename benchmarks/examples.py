"""The example images of a world of classes, drawn from its own StyleGAN2 and chosen to teach.

python -m benchmarks.examples [--world cifar10] [--count 4000] [--temperature 0.8] [--out assets/examples]: six that the
classifier is surest of, each of another class, then two on the border: a cat near a dog, an automobile near a truck.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from latentlab import chance, images
from latentlab.images import round_levels
from latentlab.store import Store
from latentlab.types import Images

SURE = 6
BORDERS = {"cifar10": (("cat", "dog"), ("automobile", "truck")), "digits": (("4", "9"), ("3", "8"))}
BATCH = 100


@torch.no_grad()
def drawn(store: Store, world: str, count: int, temperature: float) -> tuple[Images, torch.Tensor]:
    """Images of 256 levels and the probabilities of their classes."""
    model, classifier = store.load(f"{world}-stylegan2"), store.load(store.list_classifiers(world)[0])
    pictures, seen = [], []
    for seed in range(0, count, BATCH):
        codes = model.sample(BATCH, chance.make_generator(seed)).map(lambda part: temperature * part)
        few = round_levels(model.decode(codes))
        pictures.append(few)
        seen.append(classifier(few).softmax(1))
    return torch.cat(pictures), torch.cat(seen)


def chosen(probabilities: torch.Tensor, classes: tuple[str, ...], borders: tuple[tuple[str, str], ...]) -> list[int]:
    """Rows: the surest of the classes that have the surest, then the nearest to each border."""
    surest, rows = probabilities.max(0)
    best = [int(rows[place]) for place in surest.argsort(descending=True)[:SURE]]
    pairs = [[classes.index(name) for name in pair] for pair in borders]
    return best + [int(probabilities[:, pair].amin(1).argmax()) for pair in pairs]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--world", default="cifar10", choices=BORDERS)
    parser.add_argument("--count", type=int, default=4000)
    parser.add_argument("--temperature", type=float, default=0.8)
    parser.add_argument("--out", type=Path, default=Path("assets/examples"))
    args = parser.parse_args()
    store = Store(device="cpu")
    pictures, seen = drawn(store, args.world, args.count, args.temperature)
    classes = tuple(store.load(store.list_classifiers(args.world)[0]).classes)
    for number, row in enumerate(chosen(seen, classes, BORDERS[args.world]), 1):
        (args.out / f"{args.world}-{number}.png").write_bytes(images.png(pictures[row]))
        first, second = seen[row].topk(2).indices.tolist()
        print(f"{number}: {classes[first]} {seen[row, first]:.2f}, {classes[second]} {seen[row, second]:.2f}")


if __name__ == "__main__":
    main()

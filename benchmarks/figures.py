"""The figures that the project states, measured on real test images and the shipped checkpoints.

python -m benchmarks.figures [--images 1000] [--attacked 100] [--worlds digits cifar10 faces]
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import torch
from torch import Tensor

from latentlab import chance, datasets
from latentlab.operators import METHODS, Adversary, calibrate_knob, measure_distance, rebuild_images
from latentlab.store import Store
from latentlab.types import Batch, Bench, Images, LatentModel


def chunks(world: datasets.Dataset, count: int, size: int = 50) -> Iterator[tuple[Images, Tensor]]:
    for first in range(0, min(count, len(world.test)), size):
        yield world.test.take_batch(slice(first, min(first + size, count, len(world.test))))


@torch.no_grad()
def reconstruction(model: LatentModel, world: datasets.Dataset, count: int) -> tuple[float, float]:
    """Mean PSNR in dB, with 8-bit images, and the largest error of any pixel before rounding."""
    ratios, worst = [], 0.0
    for images, _ in chunks(world, count):
        rebuilt = model.decode(model.encode(images))
        worst = max(worst, (rebuilt - images).abs().max().item())
        grey = (rebuilt.clamp(0, 1) * 255).round() / 255
        ratios.append(-10 * torch.log10((grey - images).square().flatten(1).mean(1).clamp_min(1e-10)))
    return torch.cat(ratios).mean().item(), worst


def attack(attack: Adversary, bench: Bench, batch: Batch) -> tuple[float, float]:
    """Share of the images whose predicted class changes from the clean path's, and the mean l2 distance travelled."""
    start, moved = rebuild_images(batch, bench), attack(batch, bench).images
    assert bench.classifier is not None
    with torch.no_grad():
        flipped = bench.classifier(moved).argmax(1) != bench.classifier(start).argmax(1)
    return flipped.float().mean().item(), measure_distance(moved, start).mean().item()


def attacks(store: Store, name: str, count: int) -> None:
    """`adversarial-la` as published, and pixel PGD in the l2 ball that moves images equally far."""
    world = datasets.load_world(name)
    head = store.list_classifiers(name)[0]
    classifier = store.load(head)
    images, _ = world.test.take_batch(slice(0, count))
    with torch.no_grad():
        targets = torch.nn.functional.one_hot(classifier(images).argmax(1), len(classifier.classes)).float()
    batch = Batch(images, targets)
    latent = METHODS["adversarial-la"].operator
    assert isinstance(latent, Adversary)
    success, far = attack(latent, Bench(store.load(f"{name}-glow"), classifier, chance.make_generator(0)), batch)
    print(f"  adversarial-la   on {head:24} success {success:6.1%}   mean l2 distance {far:.3f}")
    pixels = Bench(store.load(f"{name}-pixels"), classifier, chance.make_generator(0))
    control = Adversary(epsilon=1.0, norm="l2", steps=latent.steps, step_size=latent.step_size, label="predicted")
    control = calibrate_knob(control, "epsilon", far, batch, pixels)
    success, far = attack(control, pixels, batch)
    print(f"  pixel-pgd (l2)   on {head:24} success {success:6.1%}   mean l2 distance {far:.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--attacked", type=int, default=100)
    parser.add_argument("--worlds", nargs="*", default=["digits", "cifar10", "faces"])
    options = parser.parse_args()
    store = Store()
    for name in options.worlds:
        world = datasets.load_world(name)
        print(f"{name}: {min(options.images, len(world.test))} test images")
        for model in store.list_models(name)[:-1]:
            ratio, worst = reconstruction(store.load(model), world, options.images)
            print(f"  {model:20} PSNR {ratio:6.2f} dB   largest error {worst:.1e}")
        if f"{name}-glow" in store.cards and store.list_classifiers(name):
            attacks(store, name, options.attacked)


if __name__ == "__main__":
    main()

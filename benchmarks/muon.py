"""Bits per dimension of a young Glow after the same images, its kernels taught by Muon and by Adam.

python -m benchmarks.muon [--steps 300] [--data cifar10]: about five minutes for each on one core. The rates of Adam are
those of the fits before Muon.
"""

from __future__ import annotations

import argparse
import copy
import itertools
from typing import Any

import torch
from tqdm import tqdm

from latentlab import chance, datasets
from latentlab.training.fitters.glow import GlowFitter, separate_kernels
from latentlab.training.resume_state import TrainingProgress
from latentlab.training.scores import compute_bits_per_dim
from latentlab.training.update_loop import BatchOrder, iterate_updates

ADAM = 1.5e-3
TEST = 1000  # images


def fitter_of(world: datasets.Dataset, teacher: str) -> GlowFitter:
    fitter = GlowFitter(world, "cpu")
    if teacher == "Adam":
        kernels, _ = separate_kernels(fitter.network)
        fitter.optimisers["muon"] = torch.optim.Adam(kernels, betas=(0.9, 0.99))
        fitter.kernels = fitter.rest = ADAM
    fitter.average = 0.99
    fitter.begin(world.train.take_batch(chance.draw_permutation(len(world.train), chance.make_generator(0))[:256])[0])
    return fitter


def after(world: datasets.Dataset, teacher: str, steps: int) -> float:
    """Mean bits/dim of the averaged network on test images."""
    torch.manual_seed(0)
    fitter: Any = fitter_of(world, teacher)
    average = copy.deepcopy(fitter.network)
    course = BatchOrder(world.train, fitter.batch, 0, "cpu", (0, 1))
    run = iterate_updates(fitter, average, course, TrainingProgress(), lambda progress: progress.step / steps)
    for _ in tqdm(itertools.islice(run, steps), teacher, steps):
        pass
    images, _ = world.test.take_batch(range(min(TEST, len(world.test))))
    with torch.no_grad():
        rng = chance.make_generator(0)
        return torch.cat([compute_bits_per_dim(average, few, rng) for few in images.split(100)]).mean().item()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--data", default="cifar10")
    args = parser.parse_args()
    world = datasets.load_world(args.data)
    for teacher in ("Adam", "Muon"):
        print(f"{teacher}: {after(world, teacher, args.steps):.3f} bits/dim after {args.steps} steps", flush=True)


if __name__ == "__main__":
    main()

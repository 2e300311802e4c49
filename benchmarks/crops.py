"""How often the proposed crop finds a face in a larger scene, beside the centre crop, and what that gains.

A hundred test faces are pasted at random places and sizes into enlarged test pictures of cifar10, which no scorer has
seen. `python -m benchmarks.crops --fit` fits the shipped scorer of faces anew; without it, the shipped one is measured.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from PIL import Image

from latentlab import datasets
from latentlab.chance import draw_uniform, make_generator
from latentlab.crop_fitting import FOUND_OVERLAP, fit_crop_scorer
from latentlab.crop_scorer import load_crop_scorer, measure_overlap, propose_crop, save_crop_scorer
from latentlab.datasets import Dataset
from latentlab.images import CropBox, ImageTensor, find_centre_box, fit_to, measure_psnr, to_pillow
from latentlab.metrics import estimate_share
from latentlab.resources import find_assets_folder
from latentlab.store import Store

SCENES, SCENE_SIZE, FACE_SIDES = 100, (512, 384), (112, 300)
FIT_SCENES = 1500
Scene = tuple[Image.Image, CropBox, ImageTensor]


def make_scenes(faces: Dataset, others: Dataset) -> Iterator[Scene]:
    """Yield scenes with the box of the face in each, and the face."""
    rng, (width, height), (least, most) = make_generator(0), SCENE_SIZE, FACE_SIDES
    for place in range(SCENES):
        face = faces.test.images[place].float() / 255
        scene = to_pillow(others.test.images[place].float() / 255).resize(SCENE_SIZE, Image.Resampling.BICUBIC)
        share, across, down = draw_uniform((3,), rng).tolist()
        side = round(least + (most - least) * share)
        left, top = round(across * (width - side)), round(down * (height - side))
        scene.paste(to_pillow(face).resize((side, side), Image.Resampling.LANCZOS), (left, top))
        yield scene, (left, top, left + side, top + side), face


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fit", action="store_true", help="fit the shipped scorer anew, from training faces alone")
    args = parser.parse_args()
    torch.set_num_threads(1)
    faces, others = datasets.load_world("faces"), datasets.load_world("cifar10")
    file = find_assets_folder() / "crops" / "faces.safetensors"
    if args.fit:
        fit_shipped_scorer(faces, file)
    measure_crops(list(make_scenes(faces, others)), file)


def fit_shipped_scorer(faces: Dataset, file: Path) -> None:
    start = time.perf_counter()
    scorer = fit_crop_scorer(faces.train.images, FIT_SCENES)
    assert scorer is not None, "faces are found in its own trial"
    file.parent.mkdir(exist_ok=True)
    save_crop_scorer(file, scorer)
    print(f"{file}: {FIT_SCENES} scenes in {time.perf_counter() - start:.0f} s")


@torch.no_grad()
def measure_crops(scenes: list[Scene], file: Path) -> None:
    """Print the share found and the PSNR against the face itself: of the crop, and of what the VAE rebuilds of it."""
    scorer, model = load_crop_scorer(file), Store(device="cpu").load("faces-vae")
    shape = scorer.image_shape
    seconds, boxes = [], {"centre": [], "proposed": []}
    for scene, _, _ in scenes:
        start = time.perf_counter()
        boxes["proposed"].append(propose_crop(scorer, scene).box)
        seconds.append(time.perf_counter() - start)
        boxes["centre"].append(find_centre_box(scene.size, shape))
    for name, chosen in boxes.items():
        hits = [measure_overlap(box, true) > FOUND_OVERLAP for box, (_, true, _) in zip(chosen, scenes, strict=True)]
        crops = [fit_to(scene, shape, box)[None] for box, (scene, _, _) in zip(chosen, scenes, strict=True)]
        faces = [face[None] for _, _, face in scenes]
        plain = statistics.mean(measure_psnr(crop, face) for crop, face in zip(crops, faces, strict=True))
        rebuilt = statistics.mean(
            measure_psnr(model.decode(model.encode(crop)).clamp(0, 1), face)
            for crop, face in zip(crops, faces, strict=True)
        )
        share = estimate_share(torch.tensor(hits).float())
        print(
            f"{name:9s} IoU > {FOUND_OVERLAP}: {share.value:.0%} ({share.low:.0%} to {share.high:.0%}); "
            f"against the face: crop {plain:.1f} dB, rebuilt by faces-vae {rebuilt:.1f} dB"
        )
    print(f"seconds a photo: median {statistics.median(seconds):.2f}, worst {max(seconds):.2f}")
    whole = [propose_crop(scorer, to_pillow(face).resize((256, 256))).box for _, _, face in scenes]
    kept = statistics.mean(measure_overlap(box, (0, 0, 256, 256)) > FOUND_OVERLAP for box in whole)
    print(f"pictures that are a face already keep more than {FOUND_OVERLAP:.0%} of it: {kept:.0%}")


if __name__ == "__main__":
    main()

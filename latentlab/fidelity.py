"""What survives a latent model: said by a judge that the model was not fitted with, beside PCA with as long a code."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from latentlab import chance
from latentlab.datasets import Dataset
from latentlab.metrics import estimate_share
from latentlab.models.principal_components import find_principal_components
from latentlab.training import distributed
from latentlab.training.distributed import SINGLE_PROCESS, ProcessPlace
from latentlab.training.scores import compute_balanced_accuracy, compute_image_psnr
from latentlab.types import Images, LatentModel, Latents, Logits

REBUILT_IMAGES = 1000  # test images that are rebuilt
FEWEST_OF_ATTRIBUTE = 10  # of them with and without an attribute, below which its agreement would be noise
ENCODED_IMAGES, DRAWN_IMAGES, PAIRS = 2000, 1000, 200
NARROWEST, WIDEST = 0.8, 1.2  # deviations that count as those of N(0, I)
Rebuild = Callable[[Images], Images]


@torch.no_grad()
def measure_fidelity(
    model: LatentModel, judge: nn.Module, world: Dataset, place: ProcessPlace = SINGLE_PROCESS
) -> dict[str, float]:
    """Measure what is kept, by the model and by PCA, the moments of codes, samples, and how far mixes bend."""
    kept = measure_survival(lambda images: rebuild_test_images(model, images), judge, world, place)
    return (
        kept
        | measure_pca(encode_test_images(model, world, torch.arange(1)).flat.shape[1], judge, world, place)
        | measure_moments(model, world, place)
        | measure_confidence(model, judge, world, place)
        | measure_bend(model, world, place)
    )


def rebuild_test_images(model: LatentModel, images: Images) -> Images:
    return model.decode(model.encode(images)).clamp(0, 1)


def encode_test_images(model: LatentModel, world: Dataset, rows: Tensor) -> Latents:
    """Return codes of test images, on the model's own device."""
    device = next(model.parameters()).device if isinstance(model, nn.Module) else "cpu"
    return model.encode(world.test.take_batch(rows)[0].to(device))


@torch.no_grad()
def measure_survival(
    rebuild: Rebuild, judge: nn.Module, world: Dataset, place: ProcessPlace = SINGLE_PROCESS
) -> dict[str, float]:
    """Measure how often the judge gives the rebuilt image the class that it gives the original, with Wilson's interval.

    Of attributes, the mean over those that are not too rare of the balanced agreement with itself.
    """
    device = next(judge.parameters()).device
    classes = len(world.classes)

    def answer(rows: Tensor) -> Tensor:
        images = world.test.take_batch(rows)[0].to(device)
        return torch.stack([judge(images), judge(rebuild(images))], 1)

    count = min(REBUILT_IMAGES, len(world.test))
    before, after = distributed.measure_rows(answer, count, place, width=(2, classes)).unbind(1)
    if not world.multilabel:
        return _add_interval("kept", before.argmax(1) == after.argmax(1))
    before, after = before > 0, after > 0
    common = torch.minimum(before.sum(0), (~before).sum(0)) >= FEWEST_OF_ATTRIBUTE
    agreement = compute_balanced_accuracy(after, before.long())
    found = {"kept": agreement[common].mean().item(), "attributes judged": float(common.sum())}
    if "Smiling" in world.classes:
        column = world.classes.index("Smiling")
        found |= {"Smiling kept": agreement[column].item()}
    return found


def measure_pca(size: int, judge: nn.Module, world: Dataset, place: ProcessPlace = SINGLE_PROCESS) -> dict[str, float]:
    """Measure the same of as many principal components as a code has numbers; nothing if those are all there are."""
    pixels = world.train.images[0].numel()
    if size >= min(pixels, len(world.train)):
        return {}
    components = find_principal_components(world.train.images, size)
    device = next(judge.parameters()).device

    def rebuild(images: Images) -> Images:
        return components.decode(components.encode(images.cpu()), images.shape[1:]).clamp(0, 1).to(device)

    def rate(rows: Tensor) -> Tensor:
        images = world.test.take_batch(rows)[0].to(device)
        return compute_image_psnr(rebuild(images), images)

    ratios = distributed.measure_rows(rate, min(REBUILT_IMAGES, len(world.test)), place)
    kept = measure_survival(rebuild, judge, world, place)
    found = {"PSNR of PCA": ratios.mean().item(), "kept by PCA": kept["kept"]}
    return found | ({"Smiling kept by PCA": kept["Smiling kept"]} if "Smiling kept" in kept else {})


@torch.no_grad()
def measure_moments(model: LatentModel, world: Dataset, place: ProcessPlace = SINGLE_PROCESS) -> dict[str, float]:
    """Measure the mean and deviation of each part of test images' codes, root mean squares over its coordinates.

    Beside them the share of deviations in 0.8–1.2 and, where images are three times as many as coordinates, eigenvalues
    of the covariance.
    """
    template = encode_test_images(model, world, torch.arange(1)).map(lambda part: part.cpu())
    size, count = template.flat.shape[1], min(ENCODED_IMAGES, len(world.test))
    codes = distributed.measure_rows(
        lambda rows: encode_test_images(model, world, rows).flat, count, place, width=(size,)
    )
    means, deviations = codes.mean(0), codes.std(0)
    found = {"deviations within 0.8–1.2": ((deviations > NARROWEST) & (deviations < WIDEST)).float().mean().item()}
    for what, values in (("mean", means), ("deviation", deviations)):
        parts = template.unflat(values[None]).parts
        found |= {f"{what} of {name}": part.square().mean().sqrt().item() for name, part in parts.items()}
    if count >= 3 * size:
        low, high = torch.linalg.eigvalsh(codes.T.double().cov()).quantile(torch.tensor([0.05, 0.95]).double()).tolist()
        found |= {"covariance, 5 % of eigenvalues below": low, "covariance, 5 % of eigenvalues above": high}
    return found


@torch.no_grad()
def measure_confidence(
    model: LatentModel, judge: nn.Module, world: Dataset, place: ProcessPlace = SINGLE_PROCESS
) -> dict[str, float]:
    """Measure how sure the judge is of drawn images, and of test images: the mean of its largest probability."""
    count = min(DRAWN_IMAGES, len(world.test))
    device = next(judge.parameters()).device

    def judge_drawn(rows: Tensor) -> Tensor:
        images = model.decode(model.sample(len(rows), chance.make_generator(int(rows[0])))).clamp(0, 1)
        return compute_certainty(judge(images.to(device)), world.multilabel)

    def judge_tested(rows: Tensor) -> Tensor:
        return compute_certainty(judge(world.test.take_batch(rows)[0].to(device)), world.multilabel)

    samples, images = (
        distributed.measure_rows(each, count, place).mean().item() for each in (judge_drawn, judge_tested)
    )
    return {"confidence of samples": samples, "confidence of images": images}


def compute_certainty(logits: Logits, multilabel: bool) -> Tensor:
    if multilabel:
        return torch.sigmoid(logits.abs()).mean(1)
    return logits.softmax(1).amax(1)


@torch.no_grad()
def measure_bend(model: LatentModel, world: Dataset, place: ProcessPlace = SINGLE_PROCESS) -> dict[str, float]:
    """Measure how far a picture half-way between two codes lies from the half-way mix of what both codes give.

    It is an l2 distance of images in [0, 1]; beside it stands how far apart those two are. 0 means that mixing here is
    mixing of pixels.
    """
    count = min(PAIRS, len(world.test) // 2)

    def measure_distances(rows: Tensor) -> Tensor:
        first, second = (encode_test_images(model, world, some) for some in (rows, count + rows))
        one, other = model.decode(first), model.decode(second)
        middle = model.decode(first.unflat((first.flat + second.flat) / 2))
        apart = torch.stack([middle - (one + other) / 2, one - other], 1)
        return apart.flatten(2).norm(dim=2)

    bent, apart = distributed.measure_rows(measure_distances, count, place, width=(2,)).mean(0).tolist()
    return {"bend": bent, "distance of pairs": apart}


def _add_interval(name: str, hits: Tensor) -> dict[str, float]:
    found = estimate_share(hits.float())
    return {name: found.value, f"{name}, at least": found.low, f"{name}, at most": found.high}

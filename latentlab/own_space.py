"""`latentlab.space`: a latent model of two functions and some pictures, measured and checked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from latentlab import chance, datasets
from latentlab.errors import UserError
from latentlab.fidelity import NARROWEST, WIDEST
from latentlab.images import measure_psnr
from latentlab.models.classifiers.external import FORWARD_ERRORS
from latentlab.models.measured_space import (
    Code,
    DecodeFunction,
    EncodeFunction,
    LogProbFunction,
    MeasuredDensitySpace,
    MeasuredSpace,
    SpaceFunctions,
    as_sequence,
    count_free_coordinates,
    find_code_form,
)
from latentlab.principal_directions import find_principal_directions
from latentlab.training.named_directions import find_label_directions
from latentlab.types import Images

FEWEST_IMAGES, USED_IMAGES = 20, 1000
HELD_OUT = 4  # every so many-th picture is kept to check by
CHECKED = 8  # pictures that are encoded twice and decoded with a gradient
MAX_STRANGE_SHARE = 0.2  # of held-out deviations outside 0.8–1.2, above which it is said
MIN_FREE_SHARE = 0.5  # of coordinates, below which it is said that they go together
MAX_KURTOSIS = 3.0  # excess, of the median coordinate


def space(
    encode: EncodeFunction | None,
    decode: DecodeFunction,
    images: Images | np.ndarray | str,
    codes: Code | None = None,
    log_prob: LogProbFunction | None = None,
    batch: int = 64,
    device: str | torch.device | None = None,
) -> MeasuredSpace:
    """Make a latent model of `encode(images)` and `decode(code)`; both compute on images in [0, 1], B C H W.

    `images` are some hundred of the model's own, or the name of a world, whose labels then name directions. A code is a
    tensor B …, or several: a dictionary of parts, coarse to fine, or a tuple. Without an encoder (None) give `codes`,
    some hundred draws of the generator's prior; pictures are then encoded by optimisation. `log_prob(images)` in nats
    makes it a model with a density. What is found out is in `notes`, and said when the
    model is added.
    """
    pictures, marks = _load_images(images)
    if encode is None and codes is None:
        raise UserError(
            "A decoder alone needs codes=…: some hundred draws of its prior, such as torch.randn(500, 128)."
        )
    home = torch.device(device) if device is not None else find_device(encode, decode)
    try:
        with torch.no_grad():
            first = encode(pictures[:2].to(home)) if encode is not None else codes
            form = find_code_form(first if first is not None else ())
            functions = SpaceFunctions(encode, decode, form, home, max(1, batch))
            parts = form.name_parts(codes) if codes is not None else functions.encode_images(pictures)
            made = _measure_space(functions, {n: p.cpu() for n, p in parts.items()}, pictures, log_prob)
            made.notes = (*_check_space(made, pictures),)
    except FORWARD_ERRORS as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise UserError(f"encode and decode do not fit together: {reason}.") from error
    if encode is not None:
        made.directions = find_principal_directions(made.codes)
        if marks is not None:
            made.directions |= find_label_directions(made.codes, marks[0], marks[1])
    return made


def _load_images(images: Images | np.ndarray | str) -> tuple[Images, tuple[Tensor, tuple[str, ...]] | None]:
    """Return pictures in [0, 1]; of a world also the 0/1 columns of its labels, and their names."""
    if isinstance(images, str):
        world = datasets.load_world(images)
        rows = chance.draw_permutation(len(world.train), chance.make_generator(0))[:USED_IMAGES]
        pictures, labels = world.train.take_batch(rows)
        if not world.classes:
            return pictures, None
        return pictures, (labels if world.multilabel else one_hot(labels, len(world.classes)), world.classes)
    given = torch.as_tensor(images)
    pictures = given.float() / 255 if given.dtype == torch.uint8 else given.float()
    if pictures.ndim != 4 or pictures.shape[1] not in (1, 3) or len(pictures) < FEWEST_IMAGES:
        raise UserError(
            f"The images are {list(pictures.shape)}; give at least {FEWEST_IMAGES}, as N C H W with 1 or 3 channels."
        )
    if not pictures.isfinite().all() or pictures.min() < 0 or pictures.max() > 1:
        raise UserError(
            f"The images range from {pictures.min():g} to {pictures.max():g}; give them in [0, 1], and let encode and "
            "decode normalise: encode=lambda x: net.encode(2 * x - 1)."
        )
    return pictures[:USED_IMAGES].cpu(), None


def find_device(*functions: Callable[..., Any] | None) -> torch.device:
    """Find the device of the network that a function belongs to, is, or closes over; else the CPU."""
    for function in functions:
        cells = [cell.cell_contents for cell in getattr(function, "__closure__", None) or ()]
        for owner in (function, getattr(function, "__self__", None), *cells):
            if isinstance(owner, nn.Module) and (weight := next(owner.parameters(), None)) is not None:
                return weight.device
    return torch.device("cpu")


def _measure_space(
    functions: SpaceFunctions, parts: dict[str, Tensor], pictures: Images, log_prob: LogProbFunction | None
) -> MeasuredSpace:
    flat = torch.cat([part.flatten(1) for part in as_sequence(parts)], 1)
    if len(flat) < FEWEST_IMAGES or not flat.isfinite().all():
        raise UserError(
            f"{len(flat)} codes are too few; give {FEWEST_IMAGES}."
            if len(flat) < FEWEST_IMAGES
            else "The codes of some images are not finite; look at the encoder first."
        )
    channels, height, width = pictures.shape[1:]
    shape = (channels, height, width)
    if log_prob is None:
        return MeasuredSpace(functions, parts, shape)
    space = MeasuredDensitySpace(functions, parts, shape)
    space.log_likelihood = log_prob
    return space


def _check_space(space: MeasuredSpace, pictures: Images) -> list[str]:
    """Refuse what cannot be shown; say what else a user should know."""
    rebuilt = space.decode(space.template.unflat(space.codes[:CHECKED]))
    if tuple(rebuilt.shape[1:]) != space.image_shape:
        raise UserError(
            f"decode gives images of {list(rebuilt.shape[1:])}, and those given are {list(space.image_shape)}; bring "
            "them to one size."
        )
    if not rebuilt.isfinite().all():
        raise UserError("decode gives values that are not finite for codes of its own.")
    if rebuilt.min() < -0.5 or rebuilt.max() > 2:
        raise UserError(
            f"decode gives values from {rebuilt.min():.2g} to {rebuilt.max():.2g}; they must be images in [0, 1]: "
            "decode=lambda code: (net.decode(code) + 1) / 2."
        )
    notes = [*_check_gradient(space), *_check_moments(space)]
    return notes if space.functions.encode is None else [*_check_encoder(space, pictures), *notes]


def _check_encoder(space: MeasuredSpace, pictures: Images) -> list[str]:
    few = pictures[:CHECKED]
    first, alone = space.encode(few), space.encode(few[:1])
    if not torch.allclose(space.encode(few).flat, first.flat, atol=1e-3):
        return ["encode draws anew at each call: give the code's mean, and put dropout into eval mode"]
    if not torch.allclose(alone.flat, first.flat[:1], atol=1e-2):
        return ["the code of a picture depends on the others of its batch: put the network into eval mode"]
    ratio = measure_psnr(space.decode(first).clamp(0, 1), few)
    plain = measure_psnr(pictures.mean(0, keepdim=True).expand_as(few), few)
    told = f"it rebuilds its pictures at {ratio:.1f} dB"
    return [f"{told}, no better than the mean picture ({plain:.1f} dB)" if ratio <= plain else told]


def _check_gradient(space: MeasuredSpace) -> list[str]:
    """Say where attacks could not find their way: from the pictures back to the code."""
    code = space.codes[:2].clone().requires_grad_()
    with torch.enable_grad():
        total = space.decode(space.template.unflat(code)).sum()
        slope = torch.autograd.grad(total, code, allow_unused=True)[0] if total.requires_grad else None
    if slope is None or not slope.isfinite().all() or not slope.any():
        return ["no gradient flows through decode, so attacks stand still in this space"]
    return []


def _check_moments(space: MeasuredSpace) -> list[str]:
    """Say how far the codes are from N(0, I): by pictures that did not set the coordinates, and by their shape."""
    codes = space.codes
    kept = torch.arange(len(codes)) % HELD_OUT == 0
    mean, deviation = codes[~kept].mean(0), codes[~kept].std(0).clamp_min(1e-6)
    spread = ((codes[kept] - mean) / deviation).square().mean(0).sqrt()
    strange = float(((spread < NARROWEST) | (spread > WIDEST)).float().mean())
    fourth = float((codes.pow(4).mean(0) / codes.square().mean(0).square().clamp_min(1e-12)).median()) - 3
    count, size = codes.shape
    free = count_free_coordinates(codes) * (1 / size + 1 / count)  # 1 for draws of N(0, I)
    said = []
    if strange > MAX_STRANGE_SHARE and len(codes) >= HELD_OUT * 100:
        said.append(f"of {strange:.0%} of the coordinates other pictures have a deviation outside 0.8–1.2")
    if fourth > MAX_KURTOSIS:
        said.append(
            f"codes are far from a normal law (excess kurtosis {fourth:.1f}), so samples may not look like images"
        )
    if free < MIN_FREE_SHARE:
        said.append(
            f"coordinates go together: they vary like {free:.0%} as many; samples follow that, random moves do not"
        )
    return said

"""Pictures as bytes: any file a person drops in becomes plain RGB, any result a PNG that carries its recipe.

A result has 256 levels, so that what is shown is what is classified and saved.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterator

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image, ImageOps
from PIL.PngImagePlugin import PngInfo
from torch import Tensor

from latentlab.errors import UserError
from latentlab.image_file import MAX_LONG_SIDE, PILLOW_ERRORS, open_image, open_png
from latentlab.types import Images, ImageShape

ImageTensor = Float[Tensor, "C H W"]  # in [0, 1]
CropBox = tuple[float, float, float, float]  # left, top, right, bottom in pixels

RECIPE_KEY = "latentlab"
MAX_PNG_RECIPE_BYTES = 65_536
STRIP_PIXELS = 1_000_000

EXIF_TURNS = {  # of the EXIF orientation
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def read(data: bytes) -> Image.Image:
    """Return the first frame as upright 8-bit RGB, transparency on white, at most MAX_LONG_SIDE pixels long."""
    image = open_image(data)
    try:
        return _turn_upright(_shrink_to_rgb(image), image)
    except PILLOW_ERRORS as error:
        raise UserError("This picture is damaged or cut short; save it again as PNG or JPEG.") from error


def fit_to(image: Image.Image, shape: ImageShape, box: CropBox | None = None) -> ImageTensor:
    """Resize the box of the picture (default: `find_centre_box`) with antialiasing; an exact fit stays bit for bit."""
    channels, height, width = shape
    plain = image.convert("L" if channels == 1 else "RGB")
    box = find_centre_box(image.size, shape) if box is None else _check_box(box, image.size)
    resized = plain.resize((width, height), Image.Resampling.LANCZOS, box=box, reducing_gap=3.0)
    pixels = torch.from_numpy(np.array(resized)).reshape(height, width, channels)
    return pixels.permute(2, 0, 1).contiguous().float() / 255


def pad_to(image: Image.Image, shape: ImageShape) -> ImageTensor:
    """Fit the whole picture into the shape, black beside it."""
    _, height, width = shape
    return fit_to(ImageOps.pad(image, (width, height), Image.Resampling.LANCZOS, color="black"), shape)


def stretch_to(image: Image.Image, shape: ImageShape) -> ImageTensor:
    """Fit the whole picture into the shape by stretching it."""
    return fit_to(image, shape, (0, 0, *image.size))


PICTURE_FITS: dict[str, Callable[[Image.Image, ImageShape], ImageTensor]] = {
    "crop": fit_to,
    "pad": pad_to,
    "stretch": stretch_to,
}


def find_centre_box(size: tuple[int, int], shape: ImageShape) -> CropBox:
    """Return the largest box of the shape's proportions in the middle of a picture of `size` (width, height)."""
    (wide, high), (_, height, width) = size, shape
    scale = min(wide / width, high / height)
    left, top = (wide - width * scale) / 2, (high - height * scale) / 2
    return left, top, wide - left, high - top


def png(image: ImageTensor, recipe: str | None = None) -> bytes:
    """Return an exact 8-bit PNG of the picture with the recipe in a text chunk."""
    notes, file = PngInfo(), io.BytesIO()
    if recipe is not None:
        _check_recipe(recipe)
        notes.add_itxt(RECIPE_KEY, recipe)
    to_pillow(image).save(file, "PNG", pnginfo=notes)
    return file.getvalue()


def to_pillow(image: ImageTensor) -> Image.Image:
    """Return the picture at 256 levels: grey of one channel, RGB of three."""
    levels = (image.detach().cpu().float() * 255).round().clamp(0, 255).to(torch.uint8)
    pixels = levels.permute(1, 2, 0).numpy()
    return Image.fromarray(pixels[..., 0] if len(image) == 1 else pixels)


def read_png_recipe(data: bytes) -> str | None:
    """Return the recipe in a PNG made by `encode_png`, None for any other file; no pixel is decoded."""
    try:
        with open_png(data) as image:
            recipe = image.info.get(RECIPE_KEY)
    except (*PILLOW_ERRORS, Image.DecompressionBombError):
        return None
    if not isinstance(recipe, str):
        return None
    _check_recipe(recipe)
    return str(recipe)


def _check_recipe(recipe: str) -> None:
    if (size := len(recipe.encode())) > MAX_PNG_RECIPE_BYTES:
        raise UserError(f"The recipe has {size:,} bytes; at most {MAX_PNG_RECIPE_BYTES:,} are allowed.")


def _shrink_to_rgb(image: Image.Image) -> Image.Image:
    """Return the picture as RGB, its sides divided by whole numbers; strip by strip, as a copy of the whole in every
    mode on the way would take several times its memory.
    """
    factor = math.ceil(max(image.size) / MAX_LONG_SIDE)
    across, down = min(factor, image.width), min(factor, image.height)
    made = Image.new("RGB", (-(-image.width // across), -(-image.height // down)))
    image.load()
    white = find_white(image) if is_deep_grey(image) else None
    for place, strip in _cut_strips(image, down):
        plain = _convert_to_rgb(strip, white)
        made.paste(plain if factor == 1 else plain.reduce((across, down)), (0, place // down))
    return made


def _cut_strips(image: Image.Image, multiple: int) -> Iterator[tuple[int, Image.Image]]:
    """Give the picture as strips from the top, each with its first row, their height a multiple of this."""
    height = max(1, STRIP_PIXELS // (image.width * multiple)) * multiple
    for top in range(0, image.height, height):
        yield top, image.crop((0, top, image.width, min(top + height, image.height)))


def is_deep_grey(image: Image.Image) -> bool:
    """Say whether the picture is grey of 16 bits, 32 bits or floats."""
    return image.mode in ("F", "I") or image.mode.startswith("I;16")


def find_white(image: Image.Image) -> float:
    """Return the value that is white; where the file does not name it, the smallest usual one that fits."""
    peaks = []
    for _, strip in _cut_strips(image, 1):
        values = np.asarray(strip)
        if not np.isfinite(values).all():
            raise UserError("The picture holds NaN or infinite values; save it as 8-bit or 16-bit.")
        peaks.append(float(values.max()))
    peak, usual = max(peaks), (1.0, 255.0, 65535.0) if image.mode == "F" else (65535.0,)
    return next((top for top in usual if peak <= top), peak)


def _convert_to_rgb(image: Image.Image, white: float | None) -> Image.Image:
    if white is not None:
        levels = (np.asarray(image).astype(np.float32) * (255 / white)).round().clip(0, 255).astype(np.uint8)
        return Image.fromarray(levels).convert("RGB")
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")
    return image.convert("RGB")


def _turn_upright(image: Image.Image, original: Image.Image) -> Image.Image:
    """Turn the picture as the camera noted in EXIF; a note that cannot be read is no reason to refuse the picture."""
    try:
        turn = original.getexif().get(0x0112)
    except PILLOW_ERRORS:
        turn = None
    method = EXIF_TURNS.get(turn) if isinstance(turn, int) else None
    return image if method is None else image.transpose(method)


def _check_box(box: CropBox, size: tuple[int, int]) -> CropBox:
    left, top, right, bottom = box
    if not (0 <= left < right <= size[0] and 0 <= top < bottom <= size[1]):
        raise UserError(f"The crop {box} is not inside the picture of {size[0]} × {size[1]} pixels; choose it again.")
    return box


def round_levels(pictures: Images) -> Images:
    """Round pictures to 256 levels, on the CPU."""
    return ((pictures.detach().cpu().float() * 255).round() / 255).clamp(0, 1)


def measure_psnr(a: Images, b: Images) -> float:
    """Return the peak signal-to-noise ratio in dB; infinite for equal images."""
    error = (a - b).square().mean()
    return float("inf") if error == 0 else float(-10 * error.log10())

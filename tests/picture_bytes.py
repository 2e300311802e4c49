"""Pictures of a kind as bytes, and their levels read back."""

import io

import numpy as np
from PIL import Image

from latentlab import images


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def levels(data: bytes) -> np.ndarray:
    return np.asarray(images.read(data))


def colours(mode: str = "RGB", size: tuple[int, int] = (9, 7)) -> Image.Image:
    noise = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(noise).convert(mode)

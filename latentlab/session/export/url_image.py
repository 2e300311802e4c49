"""A picture inside of an address: lossless WebP in base64url, read back as the stranger's word that it is."""

from __future__ import annotations

import base64
import io
import re
from functools import lru_cache

from latentlab import images
from latentlab.errors import UserError
from latentlab.images import ImageTensor
from latentlab.session.state import Picture
from latentlab.types import ImageShape

BASE64_LETTERS = re.compile(r"[A-Za-z0-9_-]+")
DAMAGED_NOTICE = "The picture in the address is damaged; an example stands in for it."
WEBP_HEADER_BYTES = 25  # bytes: RIFF, size, WEBP, VP8L, size, signature, width and height


@lru_cache(maxsize=32)  # asked for at every move of a slider, and the search for few bytes takes longer than the move
def encode_url_picture(source: Picture) -> str:
    """Encode the source's picture of 256 levels, exactly."""
    file = io.BytesIO()
    images.to_pillow(source.image[0]).convert("RGB").save(file, "WEBP", lossless=True, quality=100, method=6)
    return base64.urlsafe_b64encode(file.getvalue()).decode().rstrip("=")


def decode_url_picture(text: str, shape: ImageShape) -> ImageTensor:
    """Decode the picture, which must be of exactly this shape: its header is read before a pixel is decoded."""
    if not BASE64_LETTERS.fullmatch(text) or len(text) % 4 == 1:
        raise UserError(DAMAGED_NOTICE)
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if read_webp_size(data) != (shape[2], shape[1]):
        raise UserError(DAMAGED_NOTICE)
    try:
        return images.fit_to(images.read(data), shape)
    except UserError as error:
        raise UserError(DAMAGED_NOTICE) from error


def read_webp_size(data: bytes) -> tuple[int, int] | None:
    """Return width and height of a WebP of one lossless frame, None for anything else (RFC 9649, section 3.4)."""
    if len(data) < WEBP_HEADER_BYTES or data[:4] != b"RIFF" or data[8:16] != b"WEBPVP8L" or data[20] != 0x2F:
        return None
    bits = int.from_bytes(data[21:WEBP_HEADER_BYTES], "little")
    return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1

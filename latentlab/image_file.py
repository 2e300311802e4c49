"""A picture's file is opened here, and refused by its header where decoding it would take too much memory or time."""

from __future__ import annotations

import io
import struct

from PIL import Image, JpegImagePlugin

from latentlab.errors import UserError

READ_FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
READ_FORMATS_TEXT = "PNG, JPEG, WebP, GIF, BMP, TIFF and AVIF pictures are read"
MAX_IMAGE_BYTES = 20_000_000
MAX_IMAGE_PIXELS = 24_000_000
MAX_JPEG_PIXELS = 64_000_000  # a JPEG is decoded at reduced size, so it may be larger
# their decoders hold several copies, or samples of 16 bits
MAX_PIXELS_BY_FORMAT = {
    "JPEG": MAX_JPEG_PIXELS,
    "MPO": MAX_JPEG_PIXELS,  # a phone's JPEG with a second picture in it
    "TIFF": 12_000_000,
    "WEBP": 9_000_000,
    "AVIF": 9_000_000,
}
MAX_DECODED_BYTES = 130_000_000
MAX_LONG_SIDE = 2048  # what is kept of a large picture
MAX_JPEG_SCANS = 100  # each is a pass over the whole picture, even one of a few bytes
MAX_FILE_READS = {"BMP": 1_000_000}  # run lengths are read one by one
MAX_OTHER_READS = 100_000  # a PNG of a million empty chunks would take half a minute

# What Pillow raises on files that are not what they seem to be.
PILLOW_ERRORS = (
    OSError,
    EOFError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    RuntimeError,
    struct.error,
)
FOREIGN_SIGNS = {
    b"ftyphei": "HEIC",
    b"ftyphevc": "HEIC",
    b"ftypmif1": "HEIC",
    b"ftypmsf1": "HEIC",
    b"<svg": "SVG",
    b"<html": "HTML",
    b"%pdf": "PDF",
}


class CountedFile(io.BytesIO):
    """A file in memory that may be read so many times: a file of countless parts costs time by their number."""

    def __init__(self, data: bytes, reads: int = MAX_OTHER_READS) -> None:
        super().__init__(data)
        self.reads = reads

    def read(self, size: int | None = -1, /) -> bytes:
        self.reads -= 1
        if self.reads < 0:
            raise OSError("the file has too many parts")
        return super().read(size)


def open_image(data: bytes) -> Image.Image:
    """Open the file, decode nothing yet, and refuse it by its size on disk, in pixels or in memory."""
    if not data:
        raise UserError(f"The file is empty; {READ_FORMATS_TEXT}.")
    if len(data) > MAX_IMAGE_BYTES:
        raise UserError(f"The file has {len(data) / 1e6:.0f} MB; at most {MAX_IMAGE_BYTES / 1e6:.0f} MB are read.")
    file = CountedFile(data)
    try:
        image = Image.open(file, formats=READ_FORMATS)
    except Image.DecompressionBombError as error:
        raise UserError(
            f"The picture has too many pixels; at most {MAX_IMAGE_PIXELS / 1e6:.0f} million are read."
        ) from error
    except PILLOW_ERRORS as error:
        raise UserError(f"This is {_guess_file_type(data)}; {READ_FORMATS_TEXT}. Save it as PNG or JPEG.") from error
    file.reads = MAX_FILE_READS.get(image.format or "", file.reads)
    _check_pixels(*image.size, MAX_PIXELS_BY_FORMAT.get(image.format or "", MAX_IMAGE_PIXELS))
    if isinstance(image, JpegImagePlugin.JpegImageFile):
        _prepare_jpeg(image, data)
    return image


def open_png(data: bytes) -> Image.Image:
    """Open a PNG for what is written in it; no pixel is decoded."""
    return Image.open(CountedFile(data), formats=["PNG"])


def _check_pixels(width: int, height: int, limit: int) -> None:
    if width * height > limit:
        raise UserError(f"The picture is {width} × {height}; at most {limit / 1e6:.0f} million pixels are read.")


def _prepare_jpeg(image: JpegImagePlugin.JpegImageFile, data: bytes) -> None:
    """Ask for a reduced size, as small as the picture's longer side allows where the whole would be too large."""
    whole = image.width * image.height
    longest, large = max(image.size), whole > MAX_IMAGE_PIXELS
    width, height = (MAX_LONG_SIDE * side // longest if large else MAX_LONG_SIDE for side in image.size)
    image.draft("RGB", (max(1, width), max(1, height)))
    progressive = "progressive" in image.info or "progression" in image.info
    held = measure_coefficient_bytes(image, whole) if progressive else 0
    if held + 4 * image.width * image.height > MAX_DECODED_BYTES or data.count(b"\xff\xda") > MAX_JPEG_SCANS:
        raise UserError(
            "This progressive JPEG takes too much memory or time to decode; save it again without that option."
        )


def measure_coefficient_bytes(image: JpegImagePlugin.JpegImageFile, pixels: int) -> int:
    """Return the memory for the coefficients of all scans: two bytes for each sample of each channel."""
    areas = [across * down for _, across, down, _ in image.layer]
    return 2 * pixels * sum(areas) // max(areas, default=1)


def _guess_file_type(data: bytes) -> str:
    head = data[:1024].lower()
    names = (name for sign, name in FOREIGN_SIGNS.items() if sign in head)
    kind = next(names, None)
    return f"a file of type {kind}" if kind else "not a picture that can be read"

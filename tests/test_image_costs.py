"""Files that would cost more than a picture is worth: bombs, countless parts, the largest that are still read."""

import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from picture_bytes import colours, levels, saved
from PIL import Image

from latentlab import image_file, images
from latentlab.errors import UserError

BOMB = """
import resource, sys
from PIL import Image
from latentlab import image_file, images
from latentlab.errors import UserError
Image.init()
data = sys.stdin.buffer.read()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    images.read(data)
except UserError as error:
    print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024, error)
"""


def bomb_png() -> bytes:
    """13,300 × 13,300 white pixels in 22 kB."""
    side = 13_300
    packed, row = zlib.compressobj(9), b"\0" + b"\xff" * (side // 8 + 1)
    body = b"".join(packed.compress(row) for _ in range(side)) + packed.flush()

    def chunk(name: bytes, content: bytes) -> bytes:
        return len(content).to_bytes(4) + name + content + zlib.crc32(name + content).to_bytes(4)

    header = side.to_bytes(4) + side.to_bytes(4) + b"\1\0\0\0\0"
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def bomb_of(kind: str, **options: object) -> Callable[[], bytes]:
    return lambda: saved(Image.new("L", (9000, 9000)), kind, **options)


@pytest.mark.parametrize(
    "bomb",
    [bomb_png, bomb_of("GIF"), bomb_of("TIFF", compression="tiff_deflate"), bomb_of("WEBP", lossless=True)],
    ids=["PNG", "GIF", "TIFF", "WEBP"],
)
def test_a_decompression_bomb_is_refused_before_it_is_decoded(bomb: Callable[[], bytes]):
    run = subprocess.run([sys.executable, "-c", BOMB], input=bomb(), capture_output=True, check=True)
    extra, line = run.stdout.decode().split(" ", 1)
    assert "million" in line
    assert float(extra) < 50


COST = """
import resource, sys, time
from PIL import Image
from latentlab import images
from latentlab.errors import UserError
Image.init()
data = sys.stdin.buffer.read()
images.read(open(sys.argv[1], "rb").read())
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    line = str(images.read(data).size)
except UserError as error:
    line = str(error)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024, line)
"""


def empty_chunks(count: int, name: bytes) -> bytes:
    """A PNG with so many chunks of no bytes before its pixels."""
    whole = saved(Image.new("L", (2, 2)), "PNG")
    empty = b"\0\0\0\0" + name + zlib.crc32(name).to_bytes(4)
    return whole[:33] + empty * count + whole[33:]


def many_scans(count: int) -> bytes:
    """A progressive JPEG whose last scan stands there so many times."""
    whole = saved(Image.new("L", (64, 64)), "JPEG", progressive=True)
    last = whole[whole.rfind(b"\xff\xda") : -2]
    return whole[:-2] + last * count + whole[-2:]


@pytest.mark.parametrize(
    "data",
    [empty_chunks(1_500_000, b"tEXt"), empty_chunks(200_000, b"IDAT"), many_scans(5000)],
    ids=["text", "IDAT", "scans"],
)
def test_a_file_of_countless_parts_is_refused(data: bytes, monkeypatch: pytest.MonkeyPatch):
    """Each part costs time, however small it is: not one more is read than is allowed."""
    reads: list[None] = []

    class Watched(image_file.CountedFile):
        def read(self, size: int | None = -1, /) -> bytes:
            reads.append(None)
            return super().read(size)

    monkeypatch.setattr(image_file, "CountedFile", Watched)
    with pytest.raises(UserError):
        images.read(data)
    assert len(reads) <= image_file.MAX_OTHER_READS + 100


def large(mode: str, size: tuple[int, int], kind: str, **options: object) -> Callable[[], bytes]:
    return lambda: saved(Image.new(mode, size), kind, **options)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("make", "says"),
    [
        (large("CMYK", (8000, 8000), "JPEG", progressive=True), "progressive"),
        (large("CMYK", (8000, 8000), "JPEG"), "(2000, 2000)"),
        (large("RGB", (15_600, 4100), "JPEG"), "(1950, 513)"),
        (large("RGBA", (6000, 4000), "PNG"), "(2000, 1334)"),
        (large("I;16", (6000, 4000), "PNG"), "(2000, 1334)"),
        (large("RGB", (3000, 3000), "WEBP"), "(1500, 1500)"),
        (large("RGB", (3000, 3000), "AVIF"), "(1500, 1500)"),
        (large("RGBA", (3000, 4000), "TIFF", compression="tiff_deflate"), "(1500, 2000)"),
        (large("P", (6000, 4000), "GIF"), "(2000, 1334)"),
    ],
    ids=["progressive CMYK", "CMYK", "wide", "RGBA", "16 bits", "WebP", "AVIF", "TIFF", "GIF"],
)
def test_the_largest_pictures_take_a_bounded_memory(make: Callable[[], bytes], says: str, tmp_path: Path):
    data, small = make(), tmp_path / "small"
    small.write_bytes(saved(Image.new("RGB", (9, 9)), "PNG"))
    run = subprocess.run([sys.executable, "-c", COST, str(small)], input=data, capture_output=True, check=True)
    extra, line = run.stdout.decode().split(" ", 1)
    assert says in line
    assert float(extra) < 150


def test_strips_make_the_same_picture_as_the_whole(monkeypatch: pytest.MonkeyPatch):
    for mode in ("RGB", "RGBA", "CMYK", "P", "LA", "1"):
        data = saved(colours(mode, (2100, 137)), "TIFF" if mode == "CMYK" else "PNG")
        whole = levels(data)
        with monkeypatch.context() as few:
            few.setattr(images, "STRIP_PIXELS", 5000)
            assert (levels(data) == whole).all(), mode


# What the networks get

"""Every kind of file a person may drop in, and the PNG that goes out."""

import contextlib

import numpy as np
import pytest
import torch
from picture_bytes import colours, levels, saved
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from latentlab import image_file, images
from latentlab.errors import UserError


def grey(values: np.ndarray, kind: str = "TIFF") -> bytes:
    return saved(Image.fromarray(values), kind)


def test_a_plain_png_is_read_bit_for_bit():
    assert (levels(saved(colours(), "PNG")) == np.asarray(colours())).all()


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "BMP", "TIFF", "AVIF", "GIF"])
def test_the_usual_kinds_come_out_as_rgb_of_their_size(kind: str):
    image = images.read(saved(Image.new("RGB", (30, 20), (200, 40, 90)), kind))
    assert (image.mode, image.size) == ("RGB", (30, 20))
    assert np.abs(np.asarray(image, int) - (200, 40, 90)).max() <= 6


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bit_grey_is_scaled(kind: str):
    data = grey(np.array([[0, 257, 40000, 65535]], np.uint16), kind)
    assert levels(data)[0, :, 0].tolist() == [0, 1, 156, 255]


@pytest.mark.parametrize(
    ("values", "expected"),
    [([0, 0.25, 1], [0, 64, 255]), ([0, 128, 255], [0, 128, 255]), ([-1, 257, 65535], [0, 1, 255])],
)
def test_float_tiff_is_scaled_by_the_white_that_fits(values: list[float], expected: list[int]):
    assert levels(grey(np.array([values], np.float32)))[0, :, 0].tolist() == expected


def test_a_black_float_tiff_stays_black():
    assert not levels(grey(np.zeros((2, 2), np.float32))).any()


def test_32_bit_grey_is_scaled():
    assert levels(grey(np.array([[0, 65535]], np.int32)))[0, :, 0].tolist() == [0, 255]


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_float_picture_with_nan_is_refused(bad: float):
    with pytest.raises(UserError, match="NaN"):
        images.read(grey(np.array([[0, bad]], np.float32)))


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_hidden_colours_do_not_appear(mode: str):
    hidden = Image.new("RGBA", (2, 2), (0, 0, 0, 0)).convert(mode)
    hidden.putalpha(0)
    assert (levels(saved(hidden, "PNG")) == 255).all()


def test_half_transparent_black_on_white_is_grey():
    assert np.abs(levels(saved(Image.new("RGBA", (2, 2), (0, 0, 0, 128)), "PNG")).astype(int) - 127).max() <= 1


def test_transparent_palette_and_transparent_colour():
    palette = colours("P")
    assert (levels(saved(palette, "PNG")) == np.asarray(palette.convert("RGB"))).all()
    assert (levels(saved(Image.new("P", (2, 2), 0), "PNG", transparency=0)) == 255).all()
    assert (levels(saved(Image.new("RGB", (2, 2), "red"), "PNG", transparency=(255, 0, 0))) == 255).all()


def test_one_bit():
    assert levels(saved(Image.fromarray(np.array([[True, False]])), "PNG"))[0].tolist() == [[255] * 3, [0] * 3]


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk(kind: str):
    pixel = levels(saved(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), kind))[4, 4]
    assert pixel[0] > 240
    assert pixel[1:].max() < 15


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_an_animation_gives_its_first_frame(kind: str):
    later = [Image.new("RGB", (8, 8), "blue")]
    first = levels(saved(Image.new("RGB", (8, 8), "red"), kind, save_all=True, append_images=later))
    assert first[4, 4, 0] > 240
    assert first[4, 4, 2] < 15


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("turn", range(1, 9))
def test_exif_orientation(kind: str, turn: int):
    # A white spot in the corner that each orientation brings to the top left.
    upright = np.zeros((16, 32, 3), np.uint8)
    upright[:8, :8] = 255
    inverse = {1: 0, 2: 2, 3: 3, 4: 4, 5: 5, 6: 8, 7: 7, 8: 6}[turn]
    image = Image.fromarray(upright)
    stored = image.transpose(images.EXIF_TURNS[inverse]) if inverse else image
    exif = Image.Exif()
    exif[0x0112] = turn
    read = np.asarray(images.read(saved(stored, kind, exif=exif.tobytes())))
    assert read.shape == upright.shape
    assert np.abs(read.astype(int) - upright).mean() < 8


def test_a_broken_exif_note_is_ignored():
    data = saved(Image.new("RGB", (8, 8), "red"), "JPEG", exif=b"Exif\0\0" + b"\xff" * 40)
    assert images.read(data).size == (8, 8)


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1), (3, 2)])
def test_odd_sizes_fit(size: tuple[int, int]):
    picture = images.fit_to(images.read(saved(Image.new("RGB", size, "red"), "PNG")), (3, 32, 32))
    assert picture.shape == (3, 32, 32)
    assert torch.equal(picture[0], torch.ones(32, 32))


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_large_pictures_are_reduced(kind: str):
    size = images.read(saved(Image.new("RGB", (4600, 2300), "red"), kind)).size
    assert max(size) <= image_file.MAX_LONG_SIDE
    assert size[0] / size[1] == pytest.approx(2, rel=0.01)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"])
@pytest.mark.filterwarnings("ignore")
def test_truncated_files_are_refused_or_read(kind: str):
    data = saved(colours(size=(64, 64)), kind)
    for cut in (1, 10, 30, len(data) // 2):
        with pytest.raises(UserError):
            images.read(data[:cut])


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"])
@pytest.mark.filterwarnings("ignore")
def test_spoilt_bytes_give_a_picture_or_one_clear_line(kind: str):
    data, noise = saved(colours(size=(40, 40)), kind), np.random.default_rng(1)
    for _ in range(150):
        spoilt = bytearray(data)
        for place in noise.integers(0, min(len(data), 400), 4):
            spoilt[place] = noise.integers(256)
        with contextlib.suppress(UserError):
            assert images.read(bytes(spoilt)).mode == "RGB"


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"", "empty"),
        (b"hello there", "not a picture"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        (b"<!DOCTYPE html><html><script>alert(1)</script>", "HTML"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC"),
        (b"%PDF-1.7", "PDF"),
        (b"\x89PNG\r\n\x1a\n", "not a picture"),
        (b"\0" * (image_file.MAX_IMAGE_BYTES + 1), "at most 20 MB"),
    ],
)
def test_what_is_not_a_picture_is_named(data: bytes, word: str):
    with pytest.raises(UserError, match=word):
        images.read(data)


def test_a_polyglot_leaves_as_pixels_only():
    data = saved(Image.new("RGB", (4, 4), "red"), "PNG") + b"<script>alert(1)</script>"
    assert b"script" not in images.png(images.fit_to(images.read(data), (3, 4, 4)))


def test_an_exact_fit_is_bit_for_bit():
    image = colours(size=(32, 32))
    picture = images.fit_to(image, (3, 32, 32))
    assert ((picture * 255).permute(1, 2, 0).numpy() == np.asarray(image)).all()


def test_shrinking_is_antialiased():
    board = Image.fromarray((np.indices((256, 256)).sum(0) % 2 * 255).astype(np.uint8)).convert("RGB")
    assert (images.fit_to(board, (3, 32, 32)) - 0.5).abs().max() < 0.03


def test_the_centre_is_taken_without_a_box_and_the_box_with_one():
    thirds = np.zeros((10, 30, 3), np.uint8)
    thirds[:, 10:20] = 255
    image = Image.fromarray(thirds)
    assert images.find_centre_box(image.size, (3, 8, 8)) == (10, 0, 20, 10)
    assert images.fit_to(image, (3, 10, 10)).min() == 1
    assert images.fit_to(image, (3, 10, 10), (0, 0, 10, 10)).max() == 0
    assert images.fit_to(image, (1, 10, 10)).shape == (1, 10, 10)


@pytest.mark.parametrize("box", [(0, 0, 0, 5), (-1, 0, 5, 5), (0, 0, 31, 5), (5, 5, 2, 2), (float("nan"), 0, 5, 5)])
def test_a_box_outside_is_refused(box: images.CropBox):
    with pytest.raises(UserError, match="crop"):
        images.fit_to(Image.new("RGB", (30, 10)), (3, 8, 8), box)


# What people take home


@pytest.mark.parametrize("channels", [1, 3])
def test_a_png_keeps_every_level_and_its_recipe(channels: int):
    picture = torch.arange(256).expand(channels, 4, 256) / 255
    data = images.png(picture, '{"seed": 1, "model": "ξ"}')
    assert torch.equal(images.fit_to(images.read(data), (channels, 4, 256)), picture)
    assert images.read_png_recipe(data) == '{"seed": 1, "model": "ξ"}'


def test_a_png_clamps():
    assert levels(images.png(torch.tensor([[[-0.2, 1.7]]])))[0, :, 0].tolist() == [0, 255]


@pytest.mark.parametrize(
    "file", [b"", b"junk", b"\x89PNG\r\n\x1a\n", saved(colours(), "JPEG"), saved(colours(), "PNG")]
)
def test_other_files_have_no_recipe(file: bytes):
    assert images.read_png_recipe(file) is None


def test_a_recipe_of_the_wrong_size_is_refused_both_ways():
    long = "x" * (images.MAX_PNG_RECIPE_BYTES + 1)
    with pytest.raises(UserError, match="bytes"):
        images.png(torch.zeros(3, 2, 2), long)
    notes = PngInfo()
    notes.add_itxt(images.RECIPE_KEY, long)
    with pytest.raises(UserError, match="bytes"):
        images.read_png_recipe(saved(colours(), "PNG", pnginfo=notes))


def test_a_compressed_recipe_bomb_is_no_recipe():
    notes = PngInfo()
    notes.add_itxt(images.RECIPE_KEY, "x" * 50_000_000, zip=True)
    assert not images.read_png_recipe(saved(colours(), "PNG", pnginfo=notes))

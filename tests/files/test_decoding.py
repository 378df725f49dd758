"""One image out of a file: what is taken as it is, what is converted on request, what is refused."""

import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from tests.files.folders import digit_pixels
from wgan_lip.files import IMAGE_SUFFIXES, decode_image, describe_image

COLOURS = np.random.default_rng(0).integers(0, 256, (6, 5, 3), dtype=np.uint8)


def encoded(image: Image.Image, suffix: str = "PNG", **options) -> io.BytesIO:
    file = io.BytesIO()
    image.save(file, suffix, **options)
    file.seek(0)
    return file


def test_channels_come_first_and_pixels_are_as_stored():
    image = decode_image(encoded(Image.fromarray(COLOURS)), "a")
    assert (image.shape, image.dtype) == ((3, 6, 5), np.uint8)
    np.testing.assert_array_equal(image, COLOURS.transpose(2, 0, 1))
    np.testing.assert_array_equal(decode_image(encoded(Image.fromarray(COLOURS[..., 0])), "a")[0], COLOURS[..., 0])
    assert describe_image(image.shape) == "5x6 RGB"


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_modes_are_converted_as_pillow_does(mode, channels):
    image = Image.fromarray(COLOURS).convert(mode)
    expected = np.asarray(image.convert({1: "L", 3: "RGB"}[channels]))
    decoded = decode_image(encoded(image), "a", channels)
    np.testing.assert_array_equal(decoded[0] if channels == 1 else decoded.transpose(1, 2, 0), expected)


def test_a_palette_with_transparency_is_looked_up():
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90])
    image.putdata([0, 2])
    found = decode_image(encoded(image, transparency=b"\x40\xff\x80"), "a", 3)
    np.testing.assert_array_equal(found[:, 0], [[10, 70], [20, 80], [30, 90]])


@pytest.mark.parametrize("mode", ["1", "LA", "P", "RGBA", "I;16"])
def test_without_channels_other_modes_are_refused_by_name(mode):
    with pytest.raises(ValueError, match=f"^a must be one grey or RGB image .*; got mode {mode}: convert it$") as error:
        decode_image(encoded(Image.new(mode, (3, 3))), "a")
    assert error.value.convertible


@pytest.mark.parametrize(
    ("kind", "options"),
    [("GIF", {}), ("WEBP", {"lossless": True}), ("PNG", {}), ("TIFF", {}), ("MPO", {"quality": 100})],
)
def test_of_several_pictures_the_first_is_read(kind, options):
    first, others = Image.new("RGB", (16, 8), "lime"), [Image.new("RGB", (16, 8), c) for c in ("red", "blue")]
    found = decode_image(encoded(first, kind, save_all=True, append_images=others, **options), "a", 3)
    assert found.shape == (3, 8, 16)
    assert np.abs(found.astype(int) - np.array([0, 255, 0])[:, None, None]).max() <= (1 if kind == "MPO" else 0)


def test_a_photo_with_a_small_picture_inside_is_the_photo():
    large, small = (Image.fromarray(np.tile(COLOURS, (side, side, 1))) for side in (8, 1))
    photo = encoded(large, "MPO", save_all=True, append_images=[small], quality=95)
    alone = encoded(large, "JPEG", quality=95)
    np.testing.assert_array_equal(decode_image(photo, "a"), decode_image(alone, "a"))


@pytest.mark.parametrize("suffix", ["PNG", "JPEG", "MPO", "GIF", "BMP", "TIFF", "WEBP", "PPM"])
@pytest.mark.parametrize("channels", [None, 3])
def test_a_truncated_image_is_named(suffix, channels):
    whole = encoded(Image.fromarray(np.tile(COLOURS, (8, 8, 1))), suffix).getvalue()
    for length in (1, 10, len(whole) // 2, len(whole) - 30):
        with pytest.raises(ValueError, match=r"^a is damaged, or not an image$"):
            decode_image(io.BytesIO(whole[:length]), "a", channels)


def test_an_empty_file_is_called_empty(tmp_path):
    with pytest.raises(ValueError, match=r"^a is empty: it holds 0 bytes$"):
        decode_image(io.BytesIO(), "a")
    (tmp_path / "x.png").touch()
    with pytest.raises(ValueError, match=r"x\.png is empty: it holds 0 bytes$"):
        decode_image(tmp_path / "x.png")


@pytest.mark.parametrize("kind", ["GIF", "PNG", "TIFF", "BMP", "PPM", "WEBP"])
def test_the_content_says_the_format_and_not_the_name(kind, tmp_path):
    path = tmp_path / "x.jpg"
    path.write_bytes(encoded(Image.new("RGB", (4, 3), (0, 51, 255)), kind, lossless=True).getvalue())
    np.testing.assert_array_equal(decode_image(path, channels=3)[:, 0, 0], [0, 51, 255])


@pytest.mark.parametrize("suffix", IMAGE_SUFFIXES)
def test_every_suffix_is_one_that_pillow_writes_and_this_reads(suffix, tmp_path):
    path = tmp_path / f"x{suffix}"
    options = {"save_all": True, "append_images": [Image.new("1", (2, 2))]} if suffix == ".mpo" else {}
    image = Image.new("1" if suffix == ".pbm" else "RGB", (4, 3), 1 if suffix == ".pbm" else "white")
    image.save(path, **options)
    np.testing.assert_array_equal(decode_image(path, channels=1), np.full((1, 3, 4), 255))


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"\0\0\0\x18ftypheic\0\0\0\0", "HEIF"),
        (b"\0\0\0\x1cftypavif\0\0\0\0", "AVIF"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
        (b"8BPS\0\1", "Photoshop"),
        (b"%PDF-1.7", "PDF"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "a Git LFS pointer"),
    ],
)
def test_other_formats_are_named_and_not_called_damaged(content, what):
    with pytest.raises(ValueError, match=f"^a is {what}, which is not read: convert it$"):
        decode_image(io.BytesIO(content), "a")


def test_formats_whose_readers_start_programs_are_not_opened():
    with pytest.raises(ValueError, match=r"^a is damaged, or not an image$"):
        decode_image(encoded(Image.new("L", (3, 3)), "EPS"), "a")


@pytest.mark.parametrize("kind", ["PNG", "GIF", "TIFF", "BMP", "PPM", "WEBP"])
def test_an_image_above_pillows_limit_is_refused_with_the_limit(kind, monkeypatch):
    content = encoded(Image.new("RGB", (40, 25)), kind).getvalue()
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 500)
    # Pillow warns above its limit, and refuses above twice that.
    assert decode_image(io.BytesIO(content), "a", 3).shape == (3, 25, 40)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 499)
    with pytest.raises(
        ValueError, match=r"^a is larger than Pillow allows: .*1000 pixels\) exceeds limit of 998 pixels"
    ):
        decode_image(io.BytesIO(content), "a", 3)


def test_text_in_an_image_above_pillows_limit_is_refused_with_the_limit():
    text = PngInfo()
    text.add_text("x", " " * 2**21, zip=True)
    with pytest.raises(ValueError, match=r"(?i)^a is larger than Pillow allows: Decompressed data too large"):
        decode_image(encoded(Image.new("L", (3, 3)), pnginfo=text), "a")


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1)])
def test_smallest_and_longest_images(size, channels):
    found = decode_image(encoded(Image.new("RGB", size, (90, 90, 90))), "a", channels)
    assert found.shape == (channels, size[1], size[0])
    assert (found == 90).all()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
@pytest.mark.timeout(20)
def test_what_is_no_regular_file_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "folder.png").mkdir()
    for name, kind in (("pipe.png", "named pipe"), ("folder.png", "folder")):
        with pytest.raises(ValueError, match=f"{name} must be a regular file; it is a {kind}$"):
            decode_image(tmp_path / name)
    with pytest.raises(ValueError, match=r"null must be a regular file; it is a device$"):
        decode_image(Path("/dev/null"))
    with pytest.raises(FileNotFoundError):
        decode_image(tmp_path / "none.png")


def test_a_path_is_its_own_name(tmp_path):
    path = tmp_path / "digit\n\x1b[31m.png"
    Image.fromarray(digit_pixels(0, 1)[0]).save(path)
    np.testing.assert_array_equal(decode_image(path), digit_pixels(0, 1))
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(ValueError, match=r"digit\\n\\x1b\[31m\.png is damaged"):
        decode_image(path)

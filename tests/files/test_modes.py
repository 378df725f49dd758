"""Modes and orientations: the right pixel values, in every format that has them."""

import io
import struct

import numpy as np
import pytest
from PIL import Image

from wgan_lip.files import ImageModeError, decode_image

COLOURS = np.random.default_rng(0).integers(0, 256, (6, 5, 3), dtype=np.uint8)
GREY = COLOURS[..., 0]

# By the EXIF standard: where the stored picture's first row and first column are to be seen.
SEEN = {
    1: lambda a: a,  # top, left
    2: lambda a: a[:, ::-1],  # top, right
    3: lambda a: a[::-1, ::-1],  # bottom, right
    4: lambda a: a[::-1],  # bottom, left
    5: lambda a: a.swapaxes(0, 1),  # left, top
    6: lambda a: a[::-1].swapaxes(0, 1),  # right, top
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),  # right, bottom
    8: lambda a: a.swapaxes(0, 1)[::-1],  # left, bottom
}


def saved(image: Image.Image, kind: str, **options) -> io.BytesIO:
    file = io.BytesIO()
    image.save(file, kind, **options)
    file.seek(0)
    return file


def tagged(value) -> Image.Exif:
    tags = Image.Exif()
    tags[0x0112] = value
    return tags


def as_rows(decoded: np.ndarray) -> np.ndarray:
    """(C, H, W) as Pillow has it."""
    return decoded[0] if len(decoded) == 1 else decoded.transpose(1, 2, 0)


@pytest.mark.parametrize("orientation", SEEN)
@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("JPEG", {"quality": 95}),
        ("MPO", {"save_all": True, "append_images": [Image.new("RGB", (3, 3))]}),
        ("PNG", {}),
        ("WEBP", {"lossless": True}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
    ],
)
@pytest.mark.parametrize("channels", [None, 1, 3])
def test_all_orientations_are_obeyed(kind, options, orientation, channels):
    image = Image.fromarray(COLOURS)
    # JPEG is not exact; the same file without its tag is.
    stored = as_rows(decode_image(saved(image, kind, **options), "a", channels))
    found = as_rows(decode_image(saved(image, kind, exif=tagged(orientation), **options), "a", channels))
    np.testing.assert_array_equal(found, SEEN[orientation](stored))


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGBA", "I;16"])
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_converted_images_are_turned_too(mode, kind):
    image = Image.fromarray(np.arange(30, dtype=np.uint16).reshape(6, 5) * 2000)
    image = image if mode == "I;16" else Image.fromarray(COLOURS).convert(mode)
    stored = as_rows(decode_image(saved(image, kind), "a", 1))
    found = as_rows(decode_image(saved(image, kind, exif=tagged(6)), "a", 1))
    assert stored.shape == (6, 5)
    np.testing.assert_array_equal(found, SEEN[6](stored))


@pytest.mark.parametrize("value", [0, 9, 255, 60000])
def test_an_orientation_that_is_none_turns_nothing(value):
    image = Image.fromarray(COLOURS)
    np.testing.assert_array_equal(as_rows(decode_image(saved(image, "PNG", exif=tagged(value)), "a")), COLOURS)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize(
    "tags", [b"Exif\0\0", b"Exif\0\0II*\0", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0" + b"?" * 40]
)
def test_tags_that_cannot_be_read_turn_nothing(kind, tags):
    image = Image.fromarray(COLOURS)
    plain = decode_image(saved(image, kind), "a")
    np.testing.assert_array_equal(decode_image(saved(image, kind, exif=tags), "a"), plain)


# One transparent red pixel beside an opaque green one.
CLEAR = Image.fromarray(np.array([[[255, 0, 0, 0], [0, 255, 0, 255]]], dtype=np.uint8))


@pytest.mark.parametrize(("kind", "options"), [("PNG", {}), ("TIFF", {}), ("WEBP", {"lossless": True, "exact": True})])
def test_alpha_is_dropped_and_the_colours_are_as_stored(kind, options):
    found = decode_image(saved(CLEAR, kind, **options), "a", 3)
    np.testing.assert_array_equal(as_rows(found)[0], [[255, 0, 0], [0, 255, 0]])
    # 0.299 and 0.587 of 255.
    np.testing.assert_array_equal(decode_image(saved(CLEAR, kind, **options), "a", 1)[0], [[76, 150]])


@pytest.mark.parametrize("kind", ["PNG", "GIF", "TIFF", "BMP"])
def test_palettes_are_looked_up(kind):
    image = Image.new("P", (3, 1))
    image.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90])
    image.putdata([0, 2, 1])
    found = as_rows(decode_image(saved(image, kind), "a", 3))
    np.testing.assert_array_equal(found[0], [[10, 20, 30], [70, 80, 90], [40, 50, 60]])


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP", "PPM"])
def test_one_bit_is_black_or_white(kind):
    image = Image.fromarray(GREY > 127)
    for channels in (1, 3):
        for plane in decode_image(saved(image, kind), "a", channels):
            np.testing.assert_array_equal(plane, np.where(GREY > 127, 255, 0))


# 65535 / 257 = 255; halves do not occur.
DEEP, LEVELS = np.array([[0, 128, 129, 257, 32896, 65535]], dtype=np.uint16), [[0, 0, 1, 1, 128, 255]]


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "PPM"])
@pytest.mark.parametrize("channels", [1, 3])
def test_sixteen_bits_are_scaled_and_not_clipped(kind, channels):
    for plane in decode_image(saved(Image.fromarray(DEEP), kind), "a", channels):
        np.testing.assert_array_equal(plane, LEVELS)


def test_sixteen_bits_in_the_other_byte_order():
    image = Image.frombytes("I;16B", (6, 1), DEEP.astype(">u2").tobytes())
    np.testing.assert_array_equal(decode_image(saved(image, "TIFF"), "a", 1)[0], LEVELS)


def tiff(bits: int, photometric: int, width: int, data: bytes) -> io.BytesIO:
    """One uncompressed row of grey."""
    entries = ((256, width), (257, 1), (258, bits), (259, 1), (262, photometric), (273, 0), (277, 1), (279, len(data)))
    start = 8 + 2 + 12 * len(entries) + 4
    fields = [struct.pack("<HHII", tag, 4, 1, start if tag == 273 else value) for tag, value in entries]
    header = struct.pack("<2sHIH", b"II", 42, 8, len(entries))
    return io.BytesIO(header + b"".join(fields) + bytes(4) + data)


def test_twelve_bits_and_white_as_zero_have_their_own_scale():
    # 0, 2048, 4095 and 0, each a byte and a half.
    found = decode_image(tiff(12, 1, 4, bytes([0x00, 0x08, 0x00, 0xFF, 0xF0, 0x00])), "a", 1)
    np.testing.assert_array_equal(found[0], [[0, 128, 255, 0]])
    found = decode_image(tiff(16, 0, 6, DEEP.astype("<u2").tobytes()), "a", 1)
    np.testing.assert_array_equal(found[0], [[255, 255, 254, 254, 127, 0]])
    found = decode_image(tiff(8, 0, 2, bytes([0, 200])), "a")
    np.testing.assert_array_equal(found[0], [[255, 55]])


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_inks_become_light(kind):
    # Cyan is the lack of red, black of all.
    inks = np.zeros((16, 32, 4), dtype=np.uint8)
    inks[:, :16, 0], inks[:, 16:, 3] = 255, 255
    options = {"quality": 100} if kind == "JPEG" else {}
    found = as_rows(decode_image(saved(Image.fromarray(inks, "CMYK"), kind, **options), "a", 3)).astype(int)
    assert np.abs(found[:, :16] - [0, 255, 255]).max() <= 2
    assert found[:, 16:].max() <= 2


def test_luma_with_differences_of_colour_is_converted():
    image = Image.fromarray(COLOURS).convert("YCbCr")
    expected = np.asarray(image.convert("RGB"))
    np.testing.assert_array_equal(as_rows(decode_image(saved(image, "TIFF"), "a", 3)), expected)


@pytest.mark.parametrize(
    ("image", "kind", "mode"),
    [
        (Image.fromarray(np.array([[0.0, 0.5, 1.0]], dtype=np.float32)), "TIFF", "F"),
        (Image.fromarray(np.array([[0, 70000, -1]], dtype=np.int32)), "TIFF", "I"),
        (Image.new("LAB", (3, 3)), "TIFF", "LAB"),
    ],
)
@pytest.mark.parametrize("channels", [None, 1, 3])
def test_values_without_a_known_range_are_refused(image, kind, mode, channels):
    with pytest.raises(
        ImageModeError, match=rf"^a must be one grey or RGB image \(mode L or RGB\); got mode {mode}: convert it$"
    ) as error:
        decode_image(saved(image, kind), "a", channels)
    assert not error.value.convertible

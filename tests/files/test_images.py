"""One image out of a file: what is taken as it is, what is converted on request, what is refused."""

import io

import numpy as np
import pytest
from PIL import Image

from tests.files.folders import digit_pixels
from wgan_lip.files import decode_image, describe_image, image_paths

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


def test_cmyk_is_converted():
    image = Image.fromarray(COLOURS).resize((16, 16)).convert("CMYK")
    file = encoded(image, "JPEG", quality=100)
    expected = np.asarray(Image.open(io.BytesIO(file.getvalue())).convert("RGB")).transpose(2, 0, 1)
    np.testing.assert_array_equal(decode_image(file, "a", 3), expected)


def test_sixteen_bits_are_scaled_and_not_clipped():
    deep = np.array([[0, 128, 129, 257, 256 * 257 // 2, 65535]], dtype=np.uint16)
    for channels in (1, 3):
        found = decode_image(encoded(Image.fromarray(deep)), "a", channels)
        assert found.shape == (channels, 1, 6)
        for plane in found:
            # 65535 / 257 = 255; halves round to even.
            np.testing.assert_array_equal(plane, [[0, 0, 1, 1, 128, 255]])


@pytest.mark.parametrize("mode", ["1", "LA", "P", "RGBA", "I;16"])
def test_without_channels_other_modes_are_refused_by_name(mode):
    with pytest.raises(ValueError, match=f"^a must be one grey or RGB image .*; got mode {mode}, 1 frame: convert it"):
        decode_image(encoded(Image.new(mode, (3, 3))), "a")


def test_an_animation_is_refused_also_where_it_could_be_converted():
    file = encoded(Image.new("RGB", (8, 8)), "WEBP", save_all=True, append_images=[Image.new("RGB", (8, 8), "red")])
    with pytest.raises(ValueError, match=r"^a must be one image; got mode RGB, 2 frames"):
        decode_image(file, "a", 3)


@pytest.mark.parametrize("suffix", ["PNG", "JPEG", "BMP", "WEBP"])
@pytest.mark.parametrize("channels", [None, 3])
def test_a_truncated_image_is_named(suffix, channels):
    whole = encoded(Image.fromarray(np.tile(COLOURS, (8, 8, 1))), suffix).getvalue()
    for length in (0, 10, len(whole) // 2, len(whole) - 30):
        with pytest.raises(ValueError, match=r"^a is damaged, or not an image$"):
            decode_image(io.BytesIO(whole[:length]), "a", channels)


def test_other_formats_are_not_opened():
    with pytest.raises(ValueError, match="a is damaged, or not an image"):
        decode_image(encoded(Image.new("L", (3, 3)), "GIF"), "a")


def test_paths_are_sorted_and_only_images(tmp_path):
    (tmp_path / "b").mkdir()
    for name in ("c.PNG", "b/x.jpg", "a.webp", "notes.txt", ".hidden.png"):
        (tmp_path / name).write_bytes(b"")
    assert [str(path.relative_to(tmp_path)) for path in image_paths(tmp_path)] == ["a.webp", "b/x.jpg", "c.PNG"]
    with pytest.raises(ValueError, match=r"holds no images \(.png"):
        image_paths(tmp_path / "nothing")


def test_a_path_is_its_own_name(tmp_path):
    path = tmp_path / "digit.png"
    Image.fromarray(digit_pixels(0, 1)[0]).save(path)
    np.testing.assert_array_equal(decode_image(path), digit_pixels(0, 1))
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(ValueError, match=r"digit\.png is damaged"):
        decode_image(path)

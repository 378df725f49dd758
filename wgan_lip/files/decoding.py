"""One image from a file's content: 8-bit grey or RGB, the right way up."""

import io
import warnings
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

from wgan_lip.files.listing import read_regular
from wgan_lip.plain_text import printable

IMAGE_SUFFIXES = (
    *(".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".gif", ".bmp", ".tif", ".tiff"),
    *(".webp", ".ppm", ".pgm", ".pbm", ".pnm"),
)

_GREY, _RGB = "L", "RGB"
# No format whose reader starts another program. The content decides which format a file has, not its name.
_FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM")
# First bytes of other formats that are found under the names of images.
_OTHER_FORMATS = (
    (b"\0\0\0\x0cJXL ", "JPEG XL"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"8BPS", "Photoshop"),
    (b"%PDF", "PDF"),
    (b"version https://git-lfs", "a Git LFS pointer"),
)
_BRANDS = {
    **dict.fromkeys((b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1"), "HEIF"),
    **dict.fromkeys((b"avif", b"avis"), "AVIF"),
}
# Bilevel, palettes, alpha, CMYK, and luma with two chroma channels, all in 8 bits.
_CONVERTED_MODES = (_GREY, _RGB, "1", "LA", "La", "P", "PA", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr")
# TIFF tags, and the value of the second that stores white as 0.
_BITS_PER_SAMPLE, _PHOTOMETRIC, _WHITE_IS_ZERO = 258, 262, 0
# What turns an image with an EXIF orientation the right way up.
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class ImageModeError(ValueError):
    """An image of a mode that is not read.

    Args:
        message: the file and its mode.
        convertible: whether the image is read if ``channels`` is given.
    """

    def __init__(self, message: str, convertible: bool = False) -> None:
        super().__init__(message)
        self.convertible = convertible


def decode_image(
    source: Path | BinaryIO, name: str | None = None, channels: Literal[1, 3] | None = None
) -> NDArray[np.uint8]:
    """Decode one image: the first, if the file holds several (MPO, GIF, TIFF, animated PNG and WebP).

    It is turned the right way up by its EXIF orientation. The content decides the format, not the file's name.

    Args:
        source: a path, or a file opened for reading bytes.
        name: the name used in errors; None is the path.
        channels: convert to grey (1) or RGB (3), as Pillow does: alpha is dropped, a palette looked up; but 16 bits
            are scaled to 8, where Pillow would clip them. None reads grey and RGB as they are, and no other mode.

    Returns:
        Shape (channels, height, width), 0..255.

    Raises:
        ImageModeError: an image of another mode, such as a palette without ``channels``, or floating point.
        ValueError: a damaged or empty file, another format, more pixels than Pillow allows, or no regular file.
        OSError: no such file, or one that cannot be read.
    """
    name = name or printable(str(source))
    content = read_regular(source) if isinstance(source, Path) else source.read()
    if not content:
        raise ValueError(f"{name} is empty: it holds 0 bytes")
    try:
        # Pillow warns of large images; one that is too large is an error below.
        with warnings.catch_warnings(action="ignore"), Image.open(io.BytesIO(content), formats=_FORMATS) as image:
            image.load()
            mode, convertible = image.mode, _is_convertible(image)
            accepted = mode in (_GREY, _RGB) if channels is None else convertible
            converted = image if channels is None or not accepted else _convert(image, _RGB if channels == 3 else _GREY)
            pixels = np.asarray(_turn(converted, _orientation(image))) if accepted else None
    except Image.DecompressionBombError as error:
        raise ValueError(f"{name} is larger than Pillow allows: {error}") from None
    except MemoryError:
        raise
    except Exception as error:
        # On missing or changed bytes Pillow raises a dozen kinds.
        raise ValueError(f"{name} {_fault(error, content)}") from None
    if pixels is None:
        raise ImageModeError(
            f"{name} must be one grey or RGB image (mode {_GREY} or {_RGB}); got mode {mode}: convert it", convertible
        )
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def describe_image(shape: tuple[int, ...]) -> str:
    """Describe an image in an error: width x height and mode.

    Args:
        shape: channels, height, width.
    """
    channels, height, width = shape
    return f"{width}x{height} {_RGB if channels > 1 else _GREY}"


def _fault(error: Exception, content: bytes) -> str:
    """Say why Pillow could not read a file."""
    # In lower case: Pillow's capitals differ between versions.
    if str(error).lower().startswith("decompressed data too large"):
        return f"is larger than Pillow allows: {error}"
    if content[4:8] == b"ftyp" and content[8:12] in _BRANDS:
        other = _BRANDS[content[8:12]]
    else:
        other = next((kind for start, kind in _OTHER_FORMATS if content.startswith(start)), "")
    return f"is {other}, which is not read: convert it" if other else "is damaged, or not an image"


def _is_convertible(image: Image.Image) -> bool:
    """Return whether the values have a known range; 32-bit integers and floating-point numbers have none."""
    return image.mode in _CONVERTED_MODES or _integer_bits(image) is not None


def _convert(image: Image.Image, mode: str) -> Image.Image:
    """Convert to grey or RGB as Pillow does, but scale more than 8 bits to 8, where Pillow would clip them."""
    bits = _integer_bits(image)
    if bits is not None:
        levels = np.asarray(image).astype(np.float64) * (255 / (2**bits - 1))
        if _tiff_tag(image, _PHOTOMETRIC) == _WHITE_IS_ZERO:
            levels = 255 - levels
        image = Image.fromarray(np.rint(levels).astype(np.uint8))
    if image.mode in ("La", "RGBa"):
        # Undo the multiplication of the colours by alpha.
        image = image.convert("LA" if image.mode == "La" else "RGBA")
    return image.convert(mode)


def _orientation(image: Image.Image) -> int:
    """Return the EXIF orientation of a loaded image, 1 to 8; 1, which turns nothing, if none can be read."""
    try:
        found = image.getexif().get(ExifTags.Base.Orientation)
    except Exception:
        # On damaged tags Pillow raises many kinds; the image is then kept as it is stored, as viewers do.
        return 1
    return found if isinstance(found, int) and found in _TURNS else 1


def _turn(image: Image.Image, orientation: int) -> Image.Image:
    return image if orientation == 1 else image.transpose(_TURNS[orientation])


def _integer_bits(image: Image.Image) -> int | None:
    """Return the number of bits of each value if they are integers of 9 to 16 bits, otherwise None."""
    if image.mode.startswith("I;16"):
        return 12 if _tiff_tag(image, _BITS_PER_SAMPLE) == 12 else 16
    # In other formats, mode I stands for 32 bits or for signed integers.
    return 16 if image.mode == "I" and image.format in ("PNG", "PPM") else None


def _tiff_tag(image: Image.Image, number: int) -> int | None:
    tags = getattr(image, "tag_v2", None)
    value = None if tags is None else tags.get(number)
    return value[0] if isinstance(value, tuple) else value

"""Pillow's images of any mode as 8-bit grey or RGB, the right way up."""

import struct

import numpy as np
from PIL import ExifTags, Image

GREY, RGB = "L", "RGB"
# Bilevel, palettes, alpha, inks, and luma with two differences of colour, all in 8 bits.
_CONVERTED = (GREY, RGB, "1", "LA", "La", "P", "PA", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr")
_BITS_A_SAMPLE, _PHOTOMETRIC, _WHITE_IS_ZERO = 258, 262, 0

# What an image that was stored with an EXIF orientation wants, to be seen as it was taken.
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def is_convertible(image: Image.Image) -> bool:
    """Whether an image's values have a known range: 32-bit integers and floating-point numbers have none.

    Args:
        image: as opened from its file.
    """
    return image.mode in _CONVERTED or _bits(image) is not None


def convert(image: Image.Image, mode: str) -> Image.Image:
    """Grey or RGB, as Pillow converts, but more than 8 bits are scaled to 8, where Pillow would clip them.

    Args:
        image: as opened from its file, convertible.
        mode: "L" or "RGB".
    """
    bits = _bits(image)
    if bits is not None:
        levels = np.asarray(image).astype(np.float64) * (255 / (2**bits - 1))
        if _tag(image, _PHOTOMETRIC) == _WHITE_IS_ZERO:
            levels = 255 - levels
        image = Image.fromarray(np.rint(levels).astype(np.uint8))
    if image.mode in ("La", "RGBa"):
        # Colours that were multiplied by alpha.
        image = image.convert("LA" if image.mode == "La" else "RGBA")
    return image.convert(mode)


def orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 to 8; 1, which turns nothing, where there is none or none that can be read.

    Args:
        image: as opened from its file, and loaded: some formats keep their tags at the end.
    """
    try:
        found = image.getexif().get(ExifTags.Base.Orientation)
    # Pillow reads tags without care; who shows images shows them without such tags.
    except (ArithmeticError, AttributeError, LookupError, OSError, SyntaxError, TypeError, ValueError, struct.error):
        return 1
    return found if isinstance(found, int) and found in _TURNS else 1


def turned(image: Image.Image, orientation: int) -> Image.Image:
    """The image as it is to be seen.

    Args:
        image: as it was stored.
        orientation: 1 to 8, as EXIF numbers them.
    """
    return image if orientation == 1 else image.transpose(_TURNS[orientation])


def _bits(image: Image.Image) -> int | None:
    """How many of an integer's bits are used, where these are more than eight; None where that is not known."""
    if image.mode.startswith("I;16"):
        return 12 if _tag(image, _BITS_A_SAMPLE) == 12 else 16
    # Of other formats, these integers have 32 bits, or a sign.
    return 16 if image.mode == "I" and image.format in ("PNG", "PPM") else None


def _tag(image: Image.Image, number: int) -> int | None:
    tags = getattr(image, "tag_v2", None)
    value = None if tags is None else tags.get(number)
    return value[0] if isinstance(value, tuple) else value

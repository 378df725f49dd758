"""One image out of a file's content."""

import io
import struct
import warnings
import zlib
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from wgan_lip.files.modes import GREY, RGB, convert, is_convertible, orientation, turned
from wgan_lip.files.names import shown
from wgan_lip.files.regular import read_regular

IMAGE_SUFFIXES = (
    *(".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".gif", ".bmp", ".tif", ".tiff"),
    *(".webp", ".ppm", ".pgm", ".pbm", ".pnm"),
)

# No format whose reader starts another program. Which of them a file is of, its content says, not its name.
_FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM")
# What Pillow was seen to raise on files with bytes missing or changed.
_DAMAGED = (
    *(ArithmeticError, AssertionError, AttributeError, EOFError, LookupError, OSError, RuntimeError, SyntaxError),
    *(TypeError, ValueError, struct.error, zlib.error),
)
# What else is met under the name of an image, by what it begins with.
_OTHERS = (
    (b"\0\0\0\x0cJXL ", "JPEG XL"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"8BPS", "Photoshop"),
    (b"%PDF", "PDF"),
    (b"version https://git-lfs", "a pointer of Git LFS"),
)
_BRANDS = {
    **dict.fromkeys((b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1"), "HEIF"),
    **dict.fromkeys((b"avif", b"avis"), "AVIF"),
}


class ImageModeError(ValueError):
    """An image that is neither grey nor RGB.

    Args:
        message: which, and of what mode.
        convertible: whether it is taken where channels are given.
    """

    def __init__(self, message: str, convertible: bool = False) -> None:
        super().__init__(message)
        self.convertible = convertible


def decode_image(
    source: Path | BinaryIO, name: str | None = None, channels: Literal[1, 3] | None = None
) -> NDArray[np.uint8]:
    """One image, decoded: the first, where a file holds several (MPO, GIF, TIFF, moving PNG and WebP).

    It is turned as its EXIF orientation says. What format a file is of is told by its content, not by its name.

    Args:
        source: a path, or a file opened for reading bytes.
        name: what it is called in errors; None is the path.
        channels: convert to grey (1) or RGB (3), as Pillow does: alpha is dropped, a palette looked up; but 16 bits
            are scaled to 8, where Pillow would clip them. None takes grey and RGB as they are, and nothing else.

    Returns:
        Shape (channels, height, width), 0..255.

    Raises:
        ImageModeError: of another mode, such as a palette without ``channels``, or floating point.
        ValueError: damaged, empty, of another format, of more pixels than Pillow allows, or no regular file.
        OSError: nothing there, or nothing that may be read.
    """
    name = name or shown(str(source))
    content = read_regular(source) if isinstance(source, Path) else source.read()
    if not content:
        raise ValueError(f"{name} is empty: it holds 0 bytes")
    try:
        # A large image is no reason to warn; one too large for its file is an error below.
        with warnings.catch_warnings(action="ignore"), Image.open(io.BytesIO(content), formats=_FORMATS) as image:
            image.load()
            mode, convertible = image.mode, is_convertible(image)
            taken = mode in (GREY, RGB) if channels is None else convertible
            wanted = image if channels is None or not taken else convert(image, RGB if channels == 3 else GREY)
            pixels = np.asarray(turned(wanted, orientation(image))) if taken else None
    except Image.DecompressionBombError as error:
        raise ValueError(f"{name} is larger than Pillow allows: {error}") from None
    except _DAMAGED as error:
        raise ValueError(f"{name} {_fault(error, content)}") from None
    if pixels is None:
        raise ImageModeError(
            f"{name} must be one grey or RGB image (mode {GREY} or {RGB}); got mode {mode}: convert it", convertible
        )
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def describe_image(shape: tuple[int, ...]) -> str:
    """Width x height and mode, for errors.

    Args:
        shape: channels, height, width.
    """
    channels, height, width = shape
    return f"{width}x{height} {RGB if channels > 1 else GREY}"


def _fault(error: Exception, content: bytes) -> str:
    """What is wrong with a file that Pillow does not read."""
    # Pillow changed its capitals.
    if str(error).lower().startswith("decompressed data too large"):
        return f"is larger than Pillow allows: {error}"
    if content[4:8] == b"ftyp" and content[8:12] in _BRANDS:
        other = _BRANDS[content[8:12]]
    else:
        other = next((kind for start, kind in _OTHERS if content.startswith(start)), "")
    return f"is {other}, which is not read: convert it" if other else "is damaged, or not an image"

"""Images out of files: one, or a folder of them as one array."""

import os
import struct
import warnings
import zlib
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from wgan_lip.files.pixels import to_square

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp")

# No format whose reader starts another program.
_FORMATS = ("PNG", "JPEG", "BMP", "WEBP")
_MODES = ("L", "RGB")
# What is converted on request: bilevel, palette, alpha, CMYK and 16 bits beside those.
_CONVERTED = (*_MODES, "1", "LA", "P", "PA", "RGBA", "CMYK", "I;16")
_DAMAGED = (
    *(OSError, SyntaxError, ValueError, EOFError, LookupError, TypeError, struct.error, zlib.error),
    Image.DecompressionBombError,
)


def read_images(folder: Path, size: int | None = None, channels: Literal[1, 3] | None = None) -> NDArray[np.uint8]:
    """All images in a folder and in those within it, in the order of their paths; other files are passed over.

    Args:
        folder: an existing folder; names that begin with a dot are passed over too.
        size: crop each to the square in its middle, and resize that to so many pixels; None leaves them as they are.
        channels: make each grey (1) or RGB (3); None leaves them as they are.

    Returns:
        Shape (n, channels, height, width), 0..255; one channel for grey (L), three for RGB.

    Raises:
        ValueError: no images, one that is damaged or animated or of another mode, or two of different sizes or modes.
    """
    paths = image_paths(folder)
    first = _read(paths[0], size, channels)
    images = np.empty((len(paths), *first.shape), dtype=np.uint8)
    for index, path in enumerate(paths):
        image = _read(path, size, channels)
        if image.shape != first.shape:
            raise ValueError(
                f"images must be of one size and mode; got {path}, {describe_image(image.shape)}, "
                f"and {paths[0]}, {describe_image(first.shape)}: --image-size and --channels make them so"
            )
        images[index] = image
    return images


def _read(path: Path, size: int | None, channels: Literal[1, 3] | None) -> NDArray[np.uint8]:
    image = decode_image(path, channels=channels)
    if size is None:
        return image
    squared: NDArray[np.uint8] = to_square(torch.from_numpy(image.copy())[None], size)[0].numpy()
    return squared


def image_paths(folder: Path) -> list[Path]:
    """The images in a folder and in those within it, sorted; other files, and names that begin with a dot, are not.

    Args:
        folder: an existing folder.

    Raises:
        ValueError: there are none.
    """
    found = []
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [
            Path(parent, name)
            for name in names
            if not name.startswith(".") and Path(name).suffix.lower() in IMAGE_SUFFIXES
        ]
    if not found:
        raise ValueError(f"{folder} holds no images ({', '.join(IMAGE_SUFFIXES)})")
    return sorted(found)


def decode_image(
    source: Path | BinaryIO, name: str | None = None, channels: Literal[1, 3] | None = None
) -> NDArray[np.uint8]:
    """One image, decoded.

    Args:
        source: a path, or a file opened for reading bytes.
        name: what it is called in errors; None is the path.
        channels: convert to grey (1) or RGB (3), as Pillow does: alpha is dropped, a palette looked up; but 16 bits
            are scaled to 8, where Pillow would clip them. None takes grey and RGB as they are, and nothing else.

    Returns:
        Shape (channels, height, width), 0..255.

    Raises:
        ValueError: damaged, animated, of another mode.
    """
    try:
        # A large image is no reason to warn; one too large for its file is an error below.
        with warnings.catch_warnings(action="ignore"), Image.open(source, formats=_FORMATS) as image:
            mode, frames = image.mode, getattr(image, "n_frames", 1)
            image.load()
            taken = mode in (_MODES if channels is None else _CONVERTED) and frames == 1
            pixels = np.asarray(image if channels is None or not taken else _convert(image, channels))
    except PermissionError:
        raise
    except _DAMAGED:
        raise ValueError(f"{name or source} is damaged, or not an image") from None
    if not taken:
        wanted = f"one grey or RGB image (mode {' or '.join(_MODES)})" if channels is None else "one image"
        raise ValueError(
            f"{name or source} must be {wanted}; got mode {mode}, {frames} frame{'s' * (frames > 1)}: convert it"
        )
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def describe_image(shape: tuple[int, ...]) -> str:
    """Width x height and mode, for errors.

    Args:
        shape: channels, height, width.
    """
    channels, height, width = shape
    return f"{width}x{height} {_MODES[channels > 1]}"


def _convert(image: Image.Image, channels: Literal[1, 3]) -> Image.Image:
    if image.mode == "I;16":
        image = Image.fromarray(np.rint(np.asarray(image) / 257).astype(np.uint8))
    return image.convert(_MODES[channels == 3])

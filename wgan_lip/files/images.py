"""A folder of images as one array."""

import os
import struct
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp")

# No format whose reader starts another program.
_FORMATS = ("PNG", "JPEG", "BMP", "WEBP")
_MODES = ("L", "RGB")
_DAMAGED = (
    *(OSError, SyntaxError, ValueError, EOFError, LookupError, TypeError, struct.error, zlib.error),
    Image.DecompressionBombError,
)


def read_images(folder: Path) -> NDArray[np.uint8]:
    """All images in a folder and in those within it, in the order of their paths; other files are passed over.

    Args:
        folder: an existing folder; names that begin with a dot are passed over too.

    Returns:
        Shape (n, channels, height, width), 0..255; one channel for grey (L), three for RGB.

    Raises:
        ValueError: no images, one that is damaged or animated or of another mode, or two of different sizes or modes.
    """
    paths = _image_paths(folder)
    if not paths:
        raise ValueError(f"{folder} holds no images ({', '.join(IMAGE_SUFFIXES)})")
    first = _read(paths[0])
    images = np.empty((len(paths), *first.shape), dtype=np.uint8)
    for index, path in enumerate(paths):
        image = _read(path)
        if image.shape != first.shape:
            raise ValueError(
                f"images must be of one size and mode; got {path}, {_describe(image)}, "
                f"and {paths[0]}, {_describe(first)}"
            )
        images[index] = image
    return images


def _image_paths(folder: Path) -> list[Path]:
    found = []
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [
            Path(parent, name)
            for name in names
            if not name.startswith(".") and Path(name).suffix.lower() in IMAGE_SUFFIXES
        ]
    return sorted(found)


def _read(path: Path) -> NDArray[np.uint8]:
    try:
        # A large image is no reason to warn; one too large for its file is an error below.
        with warnings.catch_warnings(action="ignore"), Image.open(path, formats=_FORMATS) as image:
            mode, frames = image.mode, getattr(image, "n_frames", 1)
            pixels: NDArray[Any] = np.asarray(image)
    except PermissionError:
        raise
    except _DAMAGED:
        raise ValueError(f"{path} is damaged, or not an image") from None
    if mode not in _MODES or frames != 1:
        raise ValueError(
            f"{path} must be one grey or RGB image (mode {' or '.join(_MODES)}); "
            f"got mode {mode}, {frames} frame{'s' * (frames > 1)}: convert it"
        )
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def _describe(image: NDArray[np.uint8]) -> str:
    channels, height, width = image.shape
    return f"{width}x{height} {_MODES[channels > 1]}"

"""A folder of images as one array."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from wgan_lip.files.decoding import IMAGE_SUFFIXES, ImageModeError, decode_image, describe_image
from wgan_lip.files.left_out import describe_left_out
from wgan_lip.files.listing import Listing, list_files
from wgan_lip.files.names import shown
from wgan_lip.files.pixels import to_square


def list_images(folder: Path) -> Listing:
    """The images in a folder and in those within it, and what is left out.

    Args:
        folder: an existing folder.

    Raises:
        ValueError: there are none.
    """
    found = list_files(folder, IMAGE_SUFFIXES)
    if not found.paths:
        left_out = describe_left_out(found.left_out)
        raise ValueError(
            f"{shown(folder)} holds no images ({', '.join(IMAGE_SUFFIXES)})" + (f"; {left_out}" if left_out else "")
        )
    return found


def read_images(
    paths: Sequence[Path], size: int | None = None, channels: Literal[1, 3] | None = None
) -> NDArray[np.uint8]:
    """Images out of files, as one array in their order.

    Args:
        paths: of the files, at least one.
        size: crop each to the square in its middle, and resize that to so many pixels; None leaves them as they are.
        channels: make each grey (1) or RGB (3); None leaves them as they are.

    Returns:
        Shape (n, channels, height, width), 0..255; one channel for grey (L), three for RGB.

    Raises:
        ValueError: one that is damaged or of another mode, or two of different sizes or modes.
    """
    first = _read(paths[0], size, channels)
    images = np.empty((len(paths), *first.shape), dtype=np.uint8)
    for index, path in enumerate(paths):
        image = _read(path, size, channels)
        if image.shape != first.shape:
            raise ValueError(
                f"images must be of one size and mode; got {shown(path)}, {describe_image(image.shape)}, "
                f"and {shown(paths[0])}, {describe_image(first.shape)}: --image-size and --channels make them so"
            )
        images[index] = image
    return images


def _read(path: Path, size: int | None, channels: Literal[1, 3] | None) -> NDArray[np.uint8]:
    try:
        image = decode_image(path, channels=channels)
    except ImageModeError as error:
        raise ValueError(f"{error}, or make all alike by --channels" if error.convertible else str(error)) from None
    if size is None:
        return image
    squared: NDArray[np.uint8] = to_square(torch.from_numpy(image.copy())[None], size)[0].numpy()
    return squared

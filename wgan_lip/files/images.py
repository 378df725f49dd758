"""Image files of one size and mode; 8-bit images in other channels or sizes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import interpolate

from wgan_lip.files.decoding import IMAGE_SUFFIXES, ImageModeError, decode_image, describe_image
from wgan_lip.files.listing import Listing, describe_left_out, list_files
from wgan_lip.plain_text import printable

# Images converted at once, so that a large set is not held in memory twice.
_CHUNK = 1024


def list_images(folder: Path) -> Listing:
    """List the images in a folder and its subfolders, and count the other files.

    Args:
        folder: an existing folder.

    Raises:
        ValueError: no images.
    """
    found = list_files(folder, IMAGE_SUFFIXES)
    if not found.paths:
        left_out = describe_left_out(found.left_out)
        raise ValueError(
            f"{printable(str(folder))} holds no images ({', '.join(IMAGE_SUFFIXES)})"
            + (f"; {left_out}" if left_out else "")
        )
    return found


@dataclass(frozen=True)
class ImageDecoder:
    """Decodes image files that must all have the size and mode of the first.

    Attributes:
        image_size: height and width to crop and resize to; None requires the size of the first image.
        channels: 1 (grey) or 3 (RGB) to convert to; None requires the mode of the first image.
        first: the first image's file.
        first_shape: the first image's channels, height and width, after conversion and before resizing.
    """

    image_size: int | None
    channels: Literal[1, 3] | None
    first: Path
    first_shape: tuple[int, ...]

    @classmethod
    def like_first(cls, path: Path, image_size: int | None = None, channels: Literal[1, 3] | None = None) -> Self:
        """Build a decoder from the first image.

        Args:
            path: its file.
            image_size: as the attribute.
            channels: as the attribute.

        Raises:
            ValueError: a damaged image, or one of a mode that is not read.
        """
        return cls(image_size, channels, path, _decode(path, channels).shape)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of every decoded image."""
        channels, height, width = self.first_shape
        return (channels, height, width) if self.image_size is None else (channels, self.image_size, self.image_size)

    def decode(self, path: Path) -> NDArray[np.uint8]:
        """Decode one image, 0..255, of shape ``shape``.

        Args:
            path: its file.

        Raises:
            ValueError: a damaged image, or one of another size or mode than the first.
            FileNotFoundError: no such file.
        """
        image = _decode(path, self.channels)
        if image.shape[0] != self.first_shape[0] or (self.image_size is None and image.shape != self.first_shape):
            remedy = "channels to 1 or 3" if image.shape[0] != self.first_shape[0] else "image_size"
            raise ValueError(
                f"images must be of one size and mode; got {printable(str(path))}, {describe_image(image.shape)}, "
                f"and {printable(str(self.first))}, {describe_image(self.first_shape)}: set {remedy}"
            )
        if self.image_size is None:
            return image
        square: NDArray[np.uint8] = to_square(torch.from_numpy(image.copy())[None], self.image_size)[0].numpy()
        return square


def read_images(
    paths: Sequence[Path], size: int | None = None, channels: Literal[1, 3] | None = None
) -> NDArray[np.uint8]:
    """Read image files into one array, in their order.

    Args:
        paths: the files, at least one.
        size: crop each image to the square in its middle, and resize that to so many pixels; None keeps the size.
        channels: convert each image to grey (1) or RGB (3); None keeps the mode.

    Returns:
        Shape (n, channels, height, width), 0..255; one channel for grey (L), three for RGB.

    Raises:
        ValueError: a damaged image, one of another mode, or two of different sizes or modes.
    """
    decoder = ImageDecoder.like_first(paths[0], size, channels)
    images = np.empty((len(paths), *decoder.shape), dtype=np.uint8)
    for index, path in enumerate(paths):
        images[index] = decoder.decode(path)
    return images


def to_channels(images: Tensor, channels: Literal[1, 3]) -> Tensor:
    """Convert to grey or RGB: RGB becomes its luma, ``0.299 R + 0.587 G + 0.114 B``, rounded; grey is repeated.

    Args:
        images: uint8, shape (n, 1 or 3, H, W).
        channels: 1 for grey, 3 for RGB.

    Returns:
        Shape (n, channels, H, W), uint8; it may share memory with ``images``.

    Source:
        ITU-R BT.601, in the 16-bit integers that Pillow uses, so that both give the same pixels.
    """
    if images.shape[1] == channels:
        return images
    if channels == 3:
        return images.expand(-1, 3, -1, -1)
    return _in_chunks(_luma, images)


def to_square(images: Tensor, size: int) -> Tensor:
    """Crop to the square in the middle, then resize it, bilinear with antialiasing; never out of 0..255.

    Args:
        images: uint8, shape (n, C, H, W).
        size: height and width of the result, in pixels.

    Returns:
        Shape (n, C, size, size), uint8; ``images`` themselves if that is their shape.
    """
    height, width = images.shape[2:]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = images[:, :, top : top + side, left : left + side]
    if side == size:
        return square
    return _in_chunks(lambda part: interpolate(part, (size, size), mode="bilinear", antialias=True), square)


def _decode(path: Path, channels: Literal[1, 3] | None) -> NDArray[np.uint8]:
    try:
        return decode_image(path, channels=channels)
    except ImageModeError as error:
        raise ValueError(f"{error}, or set channels to 1 or 3" if error.convertible else str(error)) from None
    except FileNotFoundError:
        raise FileNotFoundError(f"{printable(str(path))} was removed after its folder was listed") from None


def _luma(images: Tensor) -> Tensor:
    red, green, blue = images.int().unbind(1)
    return ((19595 * red + 38470 * green + 7471 * blue + 0x8000) >> 16).to(torch.uint8).unsqueeze(1)


def _in_chunks(function: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
    return torch.cat([function(part) for part in images.split(_CHUNK)])

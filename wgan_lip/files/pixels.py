"""8-bit images as tensors: other channels, another size."""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import interpolate

# Images that are worked on at once, lest a large set be held twice.
_CHUNK = 1024


def to_channels(images: Tensor, channels: Literal[1, 3]) -> Tensor:
    """Grey or RGB: RGB becomes its luma, ``0.299 R + 0.587 G + 0.114 B``, rounded; grey is repeated.

    Args:
        images: uint8, shape (n, 1 or 3, H, W).
        channels: 1 for grey, 3 for RGB.

    Returns:
        Shape (n, channels, H, W), uint8; it may share memory with ``images``.

    Source:
        ITU-R BT.601, in the 16-bit integers that Pillow uses, so that an image read from a file becomes the same.
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


def _luma(images: Tensor) -> Tensor:
    red, green, blue = images.int().unbind(1)
    return ((19595 * red + 38470 * green + 7471 * blue + 0x8000) >> 16).to(torch.uint8).unsqueeze(1)


def _in_chunks(function: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
    return torch.cat([function(part) for part in images.split(_CHUNK)])

"""Sizes of images that critics halve and generators double."""

from collections.abc import Sequence

# Images are halved down to no less than so many pixels.
_SMALLEST = 4


def image_shape(name: str, shape: Sequence[int]) -> tuple[int, int, int]:
    """(channels, height, width), or ValueError if ``shape`` is none.

    Args:
        name: of the argument, for the error.
        shape: of one image.
    """
    if len(shape) != 3 or min(shape) < 1:
        raise ValueError(f"{name} must be [channels, height, width], each at least 1; got {list(shape)}")
    channels, height, width = shape
    return channels, height, width


def halvings(shape: Sequence[int]) -> int:
    """How often an image can be halved: while both sides are even, and at least 4 pixels remain.

    Args:
        shape: (C, H, W).
    """
    _, height, width = image_shape("shape", shape)
    count = 0
    while height % 2 == 0 and width % 2 == 0 and min(height, width) >= 2 * _SMALLEST:
        height, width, count = height // 2, width // 2, count + 1
    return count

"""The scale of pixels, 0..1, -1..1 or 0..255, as far as it is evident from the numbers."""

import numpy as np
from numpy.typing import NDArray

# The part of a range's length by which numbers may exceed it, as after interpolation.
_SLACK = 0.05
# Samples of fewer numbers are not taken for images.
_FEWEST = 16


def different_scales(
    a: NDArray[np.generic], b: NDArray[np.generic], names: tuple[str, str], images: bool = False
) -> str | None:
    """Return a warning if one of two sets holds images and their pixels are evidently on different scales, else None.

    A set holds images if it was read from 8-bit integers (``images``), if its samples have at least two axes, or if all
    of its numbers are whole and lie in 0..255; with at least 16 numbers in a sample. A set's scale is 0..255 if no
    number is negative and the largest is above 16 and at most 255; 0..1 if no number is negative and the largest is
    above 0.5 and at most 1; -1..1 if the smallest is at least -1 and at most -0.5, and none is above 1; all within 5 %
    of a range's length. Other numbers have no known scale, and give no warning.

    Args:
        a: shape (n, ...), finite.
        b: shape (m, ...), finite.
        names: of both sets, for the warning.
        images: whether either is known to hold images.
    """
    if not (images or _of_images(a) or _of_images(b)) or min(_size(a), _size(b)) < _FEWEST:
        return None
    first, second = _scale(a), _scale(b)
    if first is None or second is None or first == second:
        return None
    return (
        f"the numbers in {names[0]} are on the scale {first}, those in {names[1]} on {second}: if both are images, "
        "bring them to one scale, otherwise the distance measures the difference of scale"
    )


def _size(values: NDArray[np.generic]) -> int:
    return values[0].size if values.ndim > 1 and len(values) else 1


def _of_images(values: NDArray[np.generic]) -> bool:
    if sum(side > 1 for side in values.shape[1:]) >= 2:
        return True
    return values.size > 0 and values.min() >= 0 and 16 < values.max() <= 255 and bool((values == values.round()).all())


def _scale(values: NDArray[np.generic]) -> str | None:
    smallest, largest = float(values.min()), float(values.max())
    if smallest >= -255 * _SLACK and 16 < largest <= 255 * (1 + _SLACK):
        return "0..255"
    if smallest >= -_SLACK and 0.5 < largest <= 1 + _SLACK:
        return "0..1"
    if -1 - 2 * _SLACK <= smallest <= -0.5 and largest <= 1 + 2 * _SLACK:
        return "-1..1"
    return None

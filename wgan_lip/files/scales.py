"""On which scale pixels evidently are: 0..1, -1..1 or 0..255."""

import numpy as np
from numpy.typing import NDArray

# By how much of their length ranges may be overstepped, as interpolation does.
_SLACK = 0.05
# Fewer numbers in a sample are no image.
_FEWEST = 16


def different_scales(
    a: NDArray[np.generic], b: NDArray[np.generic], names: tuple[str, str], images: bool = False
) -> str | None:
    """A warning if one of two sets is of images, and their pixels are evidently on different scales.

    A set is of images if it was read from 8-bit integers (``images``), if its samples have at least two axes, or if all
    of its numbers are whole and lie in 0..255; with at least 16 numbers in a sample. A set's scale is 0..255 if nothing
    is negative and the largest number is above 16 and at most 255; 0..1 if nothing is negative and the largest number
    is above 0.5 and at most 1; -1..1 if the smallest number is at least -1 and at most -0.5, and none is above 1;
    within 5 % of a range's length. Other numbers are on no scale that is known here, and get no warning.

    Args:
        a: shape (n, ...), finite.
        b: shape (m, ...), finite.
        names: of both, for the warning.
        images: whether either is known to hold images.

    Returns:
        One sentence, or None.
    """
    if not (images or _of_images(a) or _of_images(b)) or min(_size(a), _size(b)) < _FEWEST:
        return None
    first, second = _scale(a), _scale(b)
    if first is None or second is None or first == second:
        return None
    return (
        f"the numbers in {names[0]} are on the scale {first}, those in {names[1]} on {second}: if both are images, "
        "bring them to one scale, or the distance is that of the scales"
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

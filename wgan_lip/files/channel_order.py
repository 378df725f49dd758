"""Images whose channels come last, as NumPy's and TensorFlow's users keep them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

_CHANNELS = (1, 3)


def channels_first(values: NDArray[Any]) -> tuple[NDArray[Any], bool]:
    """Images of shape (n, H, W, C) as (n, C, H, W); everything else as it is.

    They are taken for such if there are four axes, of which the last has 1 or 3 entries, and neither of the two before
    it has as few.

    Args:
        values: of any shape.

    Returns:
        The array, and whether its axes were moved.
    """
    last = values.ndim == 4 and values.shape[3] in _CHANNELS and min(values.shape[1:3]) > max(_CHANNELS)
    return (np.ascontiguousarray(np.moveaxis(values, 3, 1)), True) if last else (values, False)

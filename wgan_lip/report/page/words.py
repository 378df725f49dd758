"""Numbers as the page shows them."""

import math

from wgan_lip.rounded import at_least, at_most


def number(value: float | None) -> str:
    """A value to four significant digits.

    Args:
        value: None is shown as unknown.
    """
    return "unknown" if value is None else f"{value:.4g}"


def with_error(value: float, standard_error: float | None) -> str:
    """A value with its standard error, to the digits that it leaves.

    Args:
        value: the estimate.
        standard_error: None or NaN where it is not known, 0 for a closed form.
    """
    if not standard_error or not math.isfinite(standard_error):
        return number(value)
    digits = max(0, 1 - math.floor(math.log10(standard_error)))
    return f"{value:.{digits}f} ± {standard_error:.{digits}f}"


def interval(low: float | None, high: float | None) -> str:
    """Two ends, rounded away from each other.

    Args:
        low: the lower one.
        high: the upper one.
    """
    ends = ("unknown" if low is None else at_least(low)), ("unknown" if high is None else at_most(high))
    return " to ".join(ends)


def share(value: float, low: float, high: float) -> str:
    """An accuracy in percent with half its interval's width.

    Args:
        value: between 0 and 1.
        low: of its confidence interval.
        high: of its confidence interval.
    """
    return f"{100 * value:.1f} ± {50 * (high - low):.1f} %"

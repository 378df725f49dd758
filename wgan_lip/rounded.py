"""Bounds as text, rounded to the side on which they remain true."""

import math
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal


def at_least(value: float, digits: int = 4) -> str:
    """Format a lower bound, rounded down.

    Args:
        value: the bound; finite.
        digits: number of significant digits.
    """
    return _rounded(value, digits, ROUND_FLOOR)


def at_most(value: float, digits: int = 4) -> str:
    """Format an upper bound, rounded up.

    Args:
        value: the bound; finite.
        digits: number of significant digits.
    """
    return _rounded(value, digits, ROUND_CEILING)


def lipschitz_bound(value: float) -> str:
    """Format an upper bound of a Lipschitz constant: with seven decimals, or with four digits from 100 on.

    Args:
        value: the bound; it may be infinite.
    """
    if math.isinf(value):
        return "inf"
    if value >= 100:
        return at_most(value)
    return str(Decimal(value).quantize(Decimal("1e-7"), ROUND_CEILING))


def _rounded(value: float, digits: int, way: str) -> str:
    if not value:
        return "0"
    exactly = Decimal(value)
    return f"{float(exactly.quantize(Decimal(1).scaleb(exactly.adjusted() + 1 - digits), way)):.{digits}g}"

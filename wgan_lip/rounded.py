"""Bounds as they are shown: rounded to the side on which they stay true."""

import math
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal


def at_least(value: float, digits: int = 4) -> str:
    """A lower bound, rounded down.

    Args:
        value: the bound; finite.
        digits: significant ones.
    """
    return _rounded(value, digits, ROUND_FLOOR)


def at_most(value: float, digits: int = 4) -> str:
    """An upper bound, rounded up.

    Args:
        value: the bound; finite.
        digits: significant ones.
    """
    return _rounded(value, digits, ROUND_CEILING)


def lipschitz_bound(value: float) -> str:
    """An upper bound of a Lipschitz constant: to seven decimals, as most are about 1; large ones to four digits.

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

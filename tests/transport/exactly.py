"""W1 of few points in exact rational arithmetic, by trying all matchings."""

from fractions import Fraction
from itertools import permutations
from math import isqrt, lcm

from tests.transport.problems import Array

_DIGITS = 2**200


def _distance(x: list[float], y: list[float], norm: str) -> tuple[Fraction, Fraction]:
    """Lower and upper bound, equal but for l2."""
    steps = [abs(Fraction(p) - Fraction(q)) for p, q in zip(x, y, strict=True)]
    if norm != "l2":
        found = max(steps) if norm == "linf" else sum(steps, Fraction(0))
        return found, found
    square = sum((step * step for step in steps), Fraction(0))
    root = isqrt(square.numerator * square.denominator * _DIGITS**2)
    unit = square.denominator * _DIGITS
    return Fraction(root, unit), Fraction(root + (square > 0), unit)


def exact_w1(x: Array, y: Array, norm: str) -> tuple[Fraction, Fraction]:
    """Lower and upper bound of the W1 of two sets of equally heavy points, shapes (n, d) and (m, d).

    They are equal for l1 and linf, and agree to 1e-50 for l2.
    """
    n = lcm(len(x), len(y))
    table = [[_distance(p, q, norm) for q in y.tolist()] for p in x.tolist()]
    rows, columns = [i * len(x) // n for i in range(n)], [i * len(y) // n for i in range(n)]
    best = [
        min(sum(table[rows[i]][columns[j]][end] for i, j in enumerate(order)) for order in permutations(range(n)))
        for end in (0, 1)
    ]
    return best[0] / n, best[1] / n

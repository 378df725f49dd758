"""What rounding can do to a distance or a sum, and sums without it."""

from wgan_lip.transport.samples import FloatArray

# Note [what rounding can do]
# The bounds hold for the true distances of the points as given, not merely for the float64 numbers
# that approximate them. A computed distance in d dimensions carries at most d + 4 roundings, so it is
# within roundoff(d + 4) of the truth, relatively. The lower bound is taken under distances shrunk by that
# much, the upper bound under distances stretched by it. Masses are integers, so that the plan's marginals
# are exact and can be checked for equality; sums of mass times value are taken without any rounding but
# one (`exact_dot`). Beside roundings, which are relative, there is underflow: see the note in underflow.py.

# 2**27 + 1: splits a float64 into two halves whose products are exact (Dekker 1971).
_SPLITTER = 134217729.0


def roundoff(n: int, unit: float = 2.0**-53) -> float:
    """A bound of the relative error of n roundings in a row (Higham 2002, lemma 3.1).

    Args:
        n: how many.
        unit: of one rounding; that of float64 by default.

    Raises:
        ValueError: so many that no bound is left.
    """
    u = n * unit
    if u > 0.25:
        raise ValueError(f"{n} roundings of size {unit:g} leave nothing of a number: fewer dimensions are wanted")
    return 1.01 * u / (1 - u)


def shrink(distance: FloatArray, dimension: int) -> FloatArray:
    """Computed distances, less what rounding can have added to them: at most the true ones."""
    return distance * (1 - roundoff(dimension + 5))


def exact_dot(first: FloatArray, second: FloatArray) -> list[float]:
    """Terms whose exact sum is the dot product: each product as four that float64 holds exactly.

    Args:
        first: shape (n,), sizes below 1e290.
        second: shape (n,); likewise.

    Returns:
        4 n numbers, for ``math.fsum``.

    Source:
        Dekker, "A floating-point technique for extending the available precision", 1971, section 5.
    """
    first_halves, second_halves = _halves(first), _halves(second)
    return [term for a in first_halves for b in second_halves for term in (a * b).tolist()]


def _halves(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    shifted = _SPLITTER * values
    high = shifted - (shifted - values)
    return high, values - high

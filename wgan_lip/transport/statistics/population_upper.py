"""Upper confidence bounds of the population's W1, from the exact W1 of samples."""

import math
from dataclasses import dataclass

from wgan_lip.transport.rounding import SMALLEST, gradual_underflow
from wgan_lip.transport.statistics.assumptions import (
    Guarantee,
    PerSide,
    check_probability,
    spreads,
    sub_gaussian_margin,
)


@dataclass(frozen=True)
class UpperBound:
    """An upper confidence bound: W1(P, Q) is at most ``value`` with probability at least 1 - ``delta``.

    Attributes:
        value: ``w1 + margin``, in the units of the samples; infinity if nothing is known of P or of Q.
        w1: W1 of the samples.
        margin: bound of the sampling error; infinity likewise.
        delta: the probability of error over the samples.
        guarantee: "finite-sample": the probability holds at any size; None if ``value`` is infinity.
    """

    value: float
    w1: float
    margin: float
    delta: float
    guarantee: Guarantee | None


@gradual_underflow()
def population_upper(
    w1: float, x_size: int, y_size: int, *, delta: float = 0.05, diameter: PerSide = None, sigma: PerSide = None
) -> UpperBound:
    """Compute an upper confidence bound of W1(P, Q) from the exact W1 of independent, uniformly weighted samples.

    ``W1(P, Q) <= W1(P_n, Q_m) + sqrt(2 (sigma_x^2 / n + sigma_y^2 / m) ln(1/delta))``, sigma at most D / 2

    For a support of diameter D the margin is ``sqrt((D_x^2 / n + D_y^2 / m) ln(1/delta) / 2)``, that of McDiarmid.
    The bound is not tight in high dimension, where W1 of the samples exceeds W1(P, Q) by much in the mean.

    Note [why this is enough]
    Let f* be an optimal critic of P and Q: fixed, though not known. Then ``W1(P, Q) = E f*(x) - E f*(y)``, and
    ``W1(P_n, Q_m) >= mean f*(x) - mean f*(y)`` because f* is 1-Lipschitz. The means of n and m independent scores
    fall below their expectations by more than the margin with probability at most delta. This requires only that
    1-Lipschitz functions of the ground norm are sub-Gaussian under P and under Q; no concentration on product
    spaces (McDiarmid, tensorised T1) is required, and it holds in every ground norm if sigma is meant in that norm.

    Args:
        w1: proven upper bound of W1 of the samples: ``wasserstein1(x, y).upper``.
        x_size: n, the number of samples of P.
        y_size: m, likewise of Q.
        delta: the probability of error.
        diameter: of the supports of P and Q in the ground norm: one number for both, or a pair; 0 for a Dirac,
            None where it is not known.
        sigma: sub-Gaussian constants, likewise; see the note at ``Spread``.

    Raises:
        ValueError: delta outside (0, 1), no samples, a negative w1, negative diameters or sigmas.

    Source:
        Kantorovich-Rubinstein duality with an optimal critic: Villani, "Optimal Transport: Old and New", 2009,
        theorem 5.10 (iii) and (6.3); Boucheron, Lugosi, Massart, "Concentration Inequalities", 2013, sections
        2.3 and 2.6 (sub-Gaussian sums, Hoeffding).
    """
    check_probability(delta, "delta")
    if not 0 <= w1 < math.inf:
        raise ValueError(f"w1 must be finite and at least 0; got w1={w1}")
    if min(x_size, y_size) < 1:
        raise ValueError(f"x_size and y_size must be at least 1; got x_size={x_size}, y_size={y_size}")
    margin = sub_gaussian_margin(spreads(diameter, sigma), (x_size, y_size), delta)
    value = (w1 + margin) * (1 + 2.0**-50)
    return UpperBound(
        # Each of the terms may be a subnormal number with a rounding of its own.
        value=value + 4 * SMALLEST if value > 0 else 0.0,
        w1=w1,
        margin=margin,
        delta=delta,
        guarantee="finite-sample" if math.isfinite(margin) else None,
    )

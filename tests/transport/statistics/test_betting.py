"""The betting bound: against bets one after another, its laws, and how often it holds."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.special import ndtr

from tests.transport.problems import Array
from wgan_lip.transport.statistics import betting
from wgan_lip.transport.statistics.betting import betting_lower
from wgan_lip.transport.statistics.population_lower import population_lower

DIRAC = (False, True)


def by_hand(x: Array, y: Array, delta: float) -> float:
    """The bound of up to 128 pairs, one bet after another: the mean against which they win exactly 1/delta."""
    order = np.random.default_rng(0).permutation(len(x))
    x, y = x[order].tolist(), y[order].tolist()

    def log_capital(m: float) -> float:
        capital = 1.0
        for i in range(1, len(x)):
            if capital * delta >= 1:
                break
            a, b = min(x[:i] + y[:i]), max(x[:i] + y[:i])
            seen = [min(max(u, a), b) - min(max(v, a), b) for u, v in zip(x[:i], y[:i], strict=True)]
            variance = (sum((z - sum(seen) / i) ** 2 for z in seen) + (b - a) ** 2 / 4) / (i + 1)
            stake = math.sqrt(2 * math.log(1 / (capital * delta)) / ((len(x) - i) * variance))
            if m > a - b:
                stake = min(stake, 0.9 / (m - a + b))
            capital *= 1 + stake * (min(max(x[i], a), b) - min(max(y[i], a), b) - m)
        return math.log(capital * delta)

    return brentq(log_capital, -1.0, 2.0, xtol=1e-13)


@pytest.mark.parametrize("delta", [0.5, 0.05, 0.001])
def test_the_bound_is_that_of_the_bets(delta):
    rng = np.random.default_rng(3)
    for x, y in (
        (rng.uniform(size=60) + 0.5, rng.uniform(size=60)),
        (rng.beta(0.5, 0.5, size=128), rng.beta(1, 9, size=128)),
        ((rng.random(50) < 0.9).astype(float), (rng.random(50) < 0.2).astype(float)),
    ):
        assert betting_lower(x, y, delta) == pytest.approx(by_hand(x, y, delta), abs=1e-9)


def test_small_cases_computed_by_hand():
    # One bet on 1 against m, with range [0, 1]: at most 0.9 / m is safe, and 1 + 0.9 (1 - m) / m = 2 at m = 0.9 / 1.9.
    assert betting_lower(np.ones(2), np.zeros(1), 0.5, DIRAC) == pytest.approx(0.9 / 1.9, rel=1e-9)
    assert betting_lower(np.zeros(1), -np.ones(2), 0.5, DIRAC[::-1]) == pytest.approx(0.9 / 1.9, rel=1e-9)
    # Both vary: the difference may be -1, so 1 + 0.9 (1 - m) / (m + 1) = 1.5 at m = 0.4 / 1.4.
    assert betting_lower(np.ones(2), np.zeros(2), 1 / 1.5, (False, False)) == pytest.approx(0.4 / 1.4, rel=1e-9)
    # The variance is that of a range of 1, 1/8 after one pair; less than the safe stake is bet: sqrt(16 ln(1/d)).
    delta = 0.99
    stake = math.sqrt(16 * math.log(1 / delta))
    assert betting_lower(np.ones(2), np.zeros(2), delta) == pytest.approx(1 - (1 / delta - 1) / stake, rel=1e-9)
    # Two bets win 20 times the capital of nobody who may lose 2.
    assert betting_lower(np.ones(3), np.zeros(3), 0.05) <= 0


def test_nothing_is_known_of_equal_scores():
    assert betting_lower(np.ones(9), np.ones(9), 0.05) == 0
    assert betting_lower(np.array([0.0, 0.0]), np.array([0.0, 1.0]), 0.05) <= 0


def test_a_larger_sample_is_averaged_in_groups():
    rng = np.random.default_rng(0)
    x, y = rng.uniform(size=40), rng.uniform(size=10)
    order = np.random.default_rng(0).permutation(40)
    groups = betting._bets(x, y, (False, False))
    assert [len(group.differences) for group in groups] == [1] * 9
    y = y[np.random.default_rng(0).permutation(10)]
    a, b = min(x[order[:36]].min(), y[:9].min()), max(x[order[:36]].max(), y[:9].max())
    expected = np.clip(x[order[36:]], a, b).mean() - np.clip(y[9], a, b)
    assert groups[-1].differences[0] == pytest.approx(expected, abs=1e-15)
    # Sizes that do not divide each other: every score belongs to one pair.
    start = np.arange(8) * 40 // 7
    means = betting._differences([x, np.zeros(7)], [start, np.arange(8)], 0, 7, (0, 1))
    assert float(means @ np.diff(start)) == pytest.approx(x.sum())


def test_a_range_is_that_of_earlier_scores_only():
    x = np.arange(300.0)
    groups = betting._bets(x, np.zeros(300), (False, False))
    order, first = np.random.default_rng(0).permutation(300), 0
    ends = np.unique(np.arange(129) * 300 // 128)[1:]
    for group, first, last in zip(groups, ends[:-1], ends[1:], strict=True):
        earlier = x[order[:first]].max()
        assert group.low == -earlier
        assert group.differences.tolist() == np.minimum(x[order[first:last]], earlier).tolist()


@pytest.mark.parametrize("n", [20, 128, 700])
def test_what_excludes_a_mean_excludes_all_smaller_ones(n):
    for seed in range(8):
        rng = np.random.default_rng(seed)
        x, y = rng.standard_t(2, size=n) + 1, rng.standard_t(2, size=n)
        groups = betting._bets(x, y, (False, False))
        excluded = [betting._is_excluded(np.linspace(-20, 5, 2001), groups, math.log(d)) for d in (0.3, 0.1, 0.01)]
        for one in excluded:
            assert np.all(np.diff(one.astype(int)) <= 0)
        # Those of a smaller probability of error are among those of a larger one.
        assert np.all(excluded[0] >= excluded[1])
        assert np.all(excluded[1] >= excluded[2])
        assert excluded[0].any()


@settings(max_examples=40)
@given(st.integers(0, 999), st.floats(0.01, 0.4), st.floats(1e-3, 1e3), st.floats(-10, 10), st.integers(2, 300))
def test_laws_of_betting(seed, delta, factor, shift, n):
    rng = np.random.default_rng(seed)
    x, y = rng.exponential(size=n) + 1, rng.uniform(size=max(2, n // 2))
    bound = betting_lower(x, y, delta)
    assert betting_lower(factor * (x + shift), factor * (y + shift), delta) == pytest.approx(
        factor * bound, rel=1e-8, abs=1e-8 * factor
    )
    # -f instead of f, the sides exchanged.
    assert betting_lower(-y, -x, delta) == pytest.approx(bound, rel=1e-8, abs=1e-8)
    assert betting_lower(x, y, delta * 1.1) >= bound - 1e-9
    assert bound <= x.mean() - y.mean() + 1e-9


def test_scores_of_one_index_may_depend_on_each_other():
    x = np.random.default_rng(0).uniform(size=1000)
    # Pairs keep the differences, which are all 0.5; with other partners they vary as much as the scores.
    together, apart = betting_lower(x, x - 0.5, 0.05), betting_lower(x, x[::-1] - 0.5, 0.05)
    assert 0.485 < together < 0.5
    assert apart < 0.48


def test_clipping_may_raise_the_bound_above_the_estimate():
    # P is 1, but for a share of 0.002 at -999, so W1 to 0 is 2.996 by |x|, and clipping brings f(x) = x nearer to that.
    x = 1 - 1e3 * (np.random.default_rng(2).random(2000) < 0.002)
    bound = population_lower(x, np.zeros(1), diameter=(None, 0))
    assert bound.estimate < 0.5
    assert 0.9 < bound.value < 0.998 + 0.002 * 999
    assert bound.margin < 0


def test_scores_far_from_zero_lose_nothing_but_rounding():
    rng = np.random.default_rng(0)
    x, y = rng.uniform(size=(2, 200))
    near, far = betting_lower(x + 1, y, 0.05), betting_lower(x + 1 + 2.0**20, y + 2.0**20, 0.05)
    assert far == pytest.approx(near, abs=1e-8)
    tiny = 2.0**-1000
    assert betting_lower(tiny * (x + 1), tiny * y, 0.05) <= tiny * near * (1 + 1e-9)


def test_many_pairs_have_nearly_the_margin_of_the_normal_distribution():
    margins = []
    for seed in range(10):
        x, y = np.random.default_rng(seed).uniform(size=(2, 2000))
        margins.append((x.mean() - y.mean() - betting_lower(x, y, 0.025)) / math.hypot(x.std(), y.std()) * 2000**0.5)
    # The quantile is 1.96; that of separate bounds by the same bets would be 2.24 sqrt(2) = 3.2.
    assert 1.9 < np.mean(margins) < 2.3


def test_bets_need_no_more_than_bernstein():
    for n in (20, 100, 500, 2000):
        for spread in (1e-6, 0.01, 0.1, 1.0):
            x, y = spread * np.random.default_rng(n).uniform(size=(2, n))
            log = math.log(4 / 0.05)
            bernstein = sum(math.sqrt(2 * v.var(ddof=1) * log / n) + 7 * log / (3 * (n - 1)) for v in (x, y))
            assert population_lower(x, y, delta=0.05, diameter=1).margin < 0.7 * bernstein


def clipped_normal_mean(mean: float, limit: float = 3.0) -> float:
    """``E clip(X, -limit, limit)`` for a normal X of variance 1: the integral of P(X > t) over the interval."""

    def integral(t: float) -> float:
        """Of ndtr up to t."""
        return t * ndtr(t) + math.exp(-(t**2) / 2) / math.sqrt(2 * math.pi)

    return -limit + integral(mean + limit) - integral(mean - limit)


Draw = Callable[[np.random.Generator, int], Array]
# Pairs on the line, P above Q: W1 is the difference of the means, and f(x) = x attains it. W1, draws of P and of Q.
PAIRS: dict[str, tuple[float, Draw, Draw]] = {
    "two points": (0.6, lambda g, n: (g.random(n) < 0.9) * 1.0, lambda g, n: (g.random(n) < 0.3) * 1.0),
    "shifted arcsine": (0.5, lambda g, n: g.beta(0.5, 0.5, n) + 0.5, lambda g, n: g.beta(0.5, 0.5, n)),
    "skewed Beta": (0.6, lambda g, n: g.beta(2, 0.5, n), lambda g, n: g.beta(0.5, 2, n)),
    "rare and far above": (
        0.4,
        lambda g, n: 20.0 * (g.random(n) < 0.02) + 0.1 * g.normal(size=n),
        lambda g, n: 0.1 * g.normal(size=n),
    ),
    "rare and far below": (
        0.4,
        lambda g, n: 0.1 * g.normal(size=n),
        lambda g, n: 0.1 * g.normal(size=n) - 20.0 * (g.random(n) < 0.02),
    ),
    "equal, uniform": (0.0, lambda g, n: g.random(n), lambda g, n: g.random(n)),
    "equal, rare": (0.0, lambda g, n: (g.random(n) < 0.02) * 1.0, lambda g, n: (g.random(n) < 0.02) * 1.0),
    "nearly constant": (1 - 2e-11, lambda g, n: 1 - 1e-9 * (g.random(n) < 0.02), lambda g, n: 1e-12 * g.random(n)),
    "clipped Gaussians": (
        2 * clipped_normal_mean(1.0),
        lambda g, n: np.clip(g.normal(size=n) + 1, -3, 3),
        lambda g, n: np.clip(g.normal(size=n) - 1, -3, 3),
    ),
    "Pareto": (1.0, lambda g, n: g.pareto(1.5, n) + 1, lambda g, n: g.pareto(1.5, n)),
}


@pytest.mark.parametrize("n", [20, *(pytest.param(n, marks=pytest.mark.slow) for n in (100, 500, 2000))])
@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.timeout(900)
def test_bounds_hold_as_often_as_stated(name, n):
    w1, draw_p, draw_q = PAIRS[name]
    repetitions, held = 200, {0.25: 0, 0.025: 0}
    for repetition in range(repetitions):
        rng = np.random.default_rng((4, n, repetition))
        x, y = draw_p(rng, n), draw_q(rng, n)
        for delta in held:
            held[delta] += population_lower(x, y, delta=delta).value <= w1 * (1 + 1e-12)
    for delta, count in held.items():
        # Three standard deviations of a frequency that is exactly as stated.
        assert count / repetitions >= 1 - delta - 3 * math.sqrt(delta * (1 - delta) / repetitions)

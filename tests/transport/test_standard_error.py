"""The standard error of the exact W1, against how much the W1 of fresh samples varies (``pytest -m slow -s``)."""

import math

import numpy as np
import pytest

from tests.transport.problems import Array
from wgan_lip.transport import W1Result, wasserstein1

SHIFTS = {"alike": 0.0, "shifted by 0.3": 0.3, "shifted by 2": 2.0}


def draw(name: str, n: int, d: int, seed: int) -> tuple[Array, Array]:
    """Standard normal samples; the second shifted, or twice as wide, or both with heavy tails."""
    rng = np.random.default_rng(seed)
    if name == "heavy tails":
        x, y = rng.standard_t(3, size=(2, n, d))
        return x, y
    x, y = rng.normal(size=(2, n, d))
    return (x, 2 * y) if name == "twice as wide" else (x, y + SHIFTS[name] * np.eye(d)[0])


def calibration(name: str, n: int, d: int, repetitions: int) -> tuple[float, float, float]:
    """Mean W1, its spread over draws, and the root mean square of the standard errors."""
    found = [wasserstein1(*draw(name, n, d, seed)) for seed in range(repetitions)]
    values = np.array([result.value for result in found])
    return values.mean(), values.std(ddof=1), math.sqrt(np.mean([result.standard_error**2 for result in found]))


@pytest.mark.parametrize("name", [*SHIFTS, "twice as wide", "heavy tails"])
@pytest.mark.parametrize("d", [1, 4])
def test_it_is_about_right_where_distributions_differ_and_too_large_where_they_are_alike(name, d):
    _, spread, error = calibration(name, 60, d, 150)
    # The spread of 150 values is known to 6 %: three of that on either side.
    assert 0.82 < error / spread < (1.18 if name == "shifted by 2" else 2.0)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_table():
    lines = [
        f"{'distributions':<16} {'d':>3} {'n':>5} {'mean W1':>8} {'spread':>8} {'standard error':>15} {'ratio':>6}"
    ]
    for d in (1, 2, 8, 64):
        for name in (*SHIFTS, "twice as wide", "heavy tails"):
            for n, repetitions in ((50, 400), (400, 100)):
                mean, spread, error = calibration(name, n, d, repetitions)
                ratio = error / spread
                lines.append(f"{name:<16} {d:>3} {n:>5} {mean:>8.3f} {spread:>8.4f} {error:>15.4f} {ratio:>6.2f}")
                assert 1 - 3 / math.sqrt(2 * repetitions) < ratio < 2
    print("", *lines, sep="\n")  # noqa: T201


def by_hand(weights: Array, values: Array) -> float:
    """Squared standard error of a weighted mean."""
    mean = sum(w * v for w, v in zip(weights, values, strict=True))
    return sum((w * (v - mean)) ** 2 for w, v in zip(weights, values, strict=True)) / (1 - sum(w * w for w in weights))


def test_it_is_that_of_a_mean_where_one_side_is_a_point():
    # All mass goes to one place, so the distance is a mean of independent lengths, whose error is in every textbook.
    x = np.random.default_rng(0).normal(size=(200, 3)) + 9
    y = np.zeros((2, 3))
    result = wasserstein1(x, y)
    lengths = np.linalg.norm(x, axis=1)
    assert result.value == pytest.approx(lengths.mean())
    assert result.standard_error == pytest.approx(lengths.std(ddof=1) / math.sqrt(200))


def test_weights_count():
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(2, 30, 2))
    a, b = rng.dirichlet(np.ones(30), size=2)
    a[:3] = 0
    a /= a.sum()
    result: W1Result = wasserstein1(x, y, x_weights=a, y_weights=b)
    assert result.standard_error**2 == pytest.approx(
        by_hand(a, result.x_potential) + by_hand(b, result.y_potential), rel=1e-6
    )


def test_it_scales_with_the_samples():
    x, y = draw("alike", 100, 2, 0)
    one, other = wasserstein1(x, y), wasserstein1(1e6 * x + 5, 1e6 * y + 5)
    assert other.standard_error == pytest.approx(1e6 * one.standard_error, rel=1e-6)


def test_a_point_that_is_alone_says_nothing_of_its_spread():
    x, y = draw("alike", 5, 2, 0)
    assert math.isnan(wasserstein1(x[:1], y).standard_error)
    assert math.isnan(wasserstein1(x, y, y_weights=np.eye(5)[0]).standard_error)
    assert wasserstein1(x[[0, 0]], x[[0, 0]]).standard_error == 0

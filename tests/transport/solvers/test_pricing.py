"""Prices at every level of precision are lower bounds of the true ones, and close to them."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from tests.transport.problems import METRICS
from wgan_lip.transport.result import Budget, BudgetSpentError
from wgan_lip.transport.solvers import pricing
from wgan_lip.transport.solvers.pricing import Pricer, TwoSidedPricer, levels
from wgan_lip.transport.solvers.problem import Problem

# How much of the points' size a level may give away, by theory: see the note in pricing.py.
LOSS = {"product32": 2e-2, "product64": 1e-6, "difference32": 1e-4, "difference64": 1e-12}
CLOUDS = {
    "spread": lambda rng, d: rng.normal(size=(2, 70, d)),
    "far from the origin": lambda rng, d: rng.normal(size=(2, 70, d)) + 1e3,
    "tight clusters": lambda rng, d: 1e-4 * rng.normal(size=(2, 70, d)) + rng.integers(0, 2, size=(2, 70, 1)),
    "equal points": lambda rng, d: rng.integers(0, 2, size=(2, 70, d)).astype(float),
    "one far point": lambda rng, d: rng.normal(size=(2, 70, d)) * np.where(np.arange(70) == 0, 1e6, 1)[:, None],
}


@pytest.mark.parametrize("cloud", CLOUDS)
@pytest.mark.parametrize(
    ("norm", "level"),
    [(norm, level) for norm in METRICS for level in sorted({*levels(norm, 3), *levels(norm, 100)})],
)
@pytest.mark.parametrize("dimension", [2, 9, 784])
@pytest.mark.parametrize("precision", ["highest", "medium"])
def test_prices_are_lower_bounds(cloud, norm, level, dimension, precision, monkeypatch):
    monkeypatch.setattr(pricing, "BLOCK_ROWS", 32)
    monkeypatch.setattr(pricing, "_COLUMNS", 27)
    rng = np.random.default_rng(0)
    x, y = CLOUDS[cloud](rng, dimension)
    distance = cdist(x, y, METRICS[norm])
    size = max(np.abs(x).max(), np.abs(y).max()) * dimension
    potential = rng.normal(size=70) * distance.mean()
    true = (distance - potential).min(axis=1)
    torch.set_float32_matmul_precision(precision)
    try:
        priced = Pricer(x, y, norm, level, x.mean(axis=0)).transform(potential, 4)
        assert torch.get_float32_matmul_precision() == precision
    finally:
        torch.set_float32_matmul_precision("highest")
    rounding = 1e-15 * (np.abs(true) + np.abs(potential).max() + dimension * distance.max())
    assert (priced.potential <= true + rounding).all()
    assert (priced.potential >= true - LOSS[level] * size).all()
    # The bounds are those of their arcs, and the cheapest arcs are among them, up to the level's precision.
    prices = np.take_along_axis(distance - potential, priced.arcs, axis=1)
    assert (np.diff(priced.bounds, axis=1) >= 0).all()
    assert (priced.bounds <= prices + rounding[:, None]).all()
    assert (priced.bounds >= prices - LOSS[level] * size).all()
    assert (prices.min(axis=1) <= true + LOSS[level] * size).all()


@pytest.mark.parametrize("columns", [2, 3, 8192])
def test_more_arcs_than_points_are_all_of_them(columns, monkeypatch):
    monkeypatch.setattr(pricing, "_COLUMNS", columns)
    x, y = np.random.default_rng(0).normal(size=(2, 5, 3))
    priced = Pricer(x, y, "l2", "difference64", x[0]).transform(np.zeros(5), 16)
    assert (np.sort(priced.arcs, axis=1) == np.arange(5)).all()
    assert (np.diff(priced.bounds, axis=1) >= 0).all()
    np.testing.assert_allclose(priced.potential, cdist(x, y).min(axis=1), rtol=1e-14)


def test_distances_are_capped():
    x, y = np.zeros((1, 9)), np.arange(1.0, 5)[:, None] * np.eye(9)[:1]
    for level in levels("l2", 9):
        priced = Pricer(x, y, "l2", level, x[0], cap=2.5).transform(np.array([0.0, 0.0, 0.0, 1.0]), 4)
        assert priced.arcs[0].tolist()[:3] == [0, 3, 1]
        assert priced.bounds[0] == pytest.approx([1, 1.5, 2, 2.5], rel=1e-4)
        assert priced.potential[0] == pytest.approx(1, rel=1e-5)


def test_a_pass_can_be_ended_between_blocks():
    def stop() -> None:
        raise TimeoutError

    x = np.zeros((4, 2))
    with pytest.raises(TimeoutError):
        Pricer(x, x, "l2", "difference64", x[0], check=stop).transform(np.zeros(4), 1)


@pytest.mark.parametrize("norm", METRICS)
def test_autocasting_changes_no_price(norm):
    x, y = np.random.default_rng(0).normal(size=(2, 300, 32))
    priced = [Pricer(x, y, norm, levels(norm, 32)[0], x[0]).transform(np.zeros(300), 4)]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        priced.append(Pricer(x, y, norm, levels(norm, 32)[0], x[0]).transform(np.zeros(300), 4))
    np.testing.assert_array_equal(priced[0].potential, priced[1].potential)


@pytest.mark.parametrize("size", [1e-18, 1e-21, 1e-23, 1e-30, 1e-44])
@pytest.mark.parametrize("norm", METRICS)
def test_prices_are_lower_bounds_where_float32_underflows(norm, size):
    # Beside a coordinate of size 1, which is why nothing is scaled up.
    x, y = size * np.random.default_rng(0).normal(size=(2, 60, 9))
    x[:, 0] = y[:, 0] = 1
    true = cdist(x, y, METRICS[norm]).min(axis=1)
    for level in levels(norm, 9):
        assert (Pricer(x, y, norm, level, x[0]).transform(np.zeros(60), 4).potential <= true * (1 + 1e-14)).all()


X, Y = np.random.default_rng(0).normal(size=(2, 1600, 3))
Y = Y[:700]


@pytest.fixture
def made(monkeypatch):
    """The lengths of the points of every pricer that is made from here on."""
    lengths = []

    class Counted(Pricer):
        def __init__(self, points, *rest, **options):
            lengths.append(len(points))
            super().__init__(points, *rest, **options)

    monkeypatch.setattr(pricing, "Pricer", Counted)
    return lengths


def two_sided_problem():
    return Problem(X, Y, np.full(1600, 7.0), np.full(700, 16.0), 11200, "l2")


def test_both_sides_keep_their_pricers_until_another_level_or_a_cap(made):
    sides = TwoSidedPricer(two_sided_problem(), Budget().check)
    assert sides.levels == ("difference64",)
    assert np.array_equal(sides.center, (X.mean(axis=0) + Y.mean(axis=0)) / 2)
    for _ in range(2):
        sides.transform(False, "difference64", np.zeros(700), 1)
        sides.transform(True, "difference64", np.zeros(1600), 1)
    assert made == [1600, 700]
    sides.transform(False, "difference32", np.zeros(700), 1)
    sides.transform(False, "difference64", np.zeros(700), 1)
    assert made[2:] == [1600, 1600]
    sides.cap_distances(0.25)
    priced = sides.transform(False, "difference64", np.zeros(700), 1)
    assert made[4:] == [1600]
    assert priced.potential.max() == pytest.approx(0.25)


def test_the_time_of_both_sides_is_checked_while_they_are_priced():
    sides = TwoSidedPricer(two_sided_problem(), Budget(seconds=0.0).check)
    with pytest.raises(BudgetSpentError):
        sides.transform(False, "difference64", np.zeros(700), 1)

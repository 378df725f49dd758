"""The pricers of both sides of a problem: how long they are kept, and that they look at the time."""

import numpy as np
import pytest

from wgan_lip.transport.result import Budget, BudgetSpentError
from wgan_lip.transport.solvers import pricing
from wgan_lip.transport.solvers.pricing import Pricer, TwoSidedPricer
from wgan_lip.transport.solvers.problem import Problem

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


def problem():
    return Problem(X, Y, np.full(1600, 7.0), np.full(700, 16.0), 11200, "l2")


def test_both_sides_keep_their_pricers_until_another_level_or_a_cap(made):
    sides = TwoSidedPricer(problem(), Budget().check)
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
    sides = TwoSidedPricer(problem(), Budget(seconds=0.0).check)
    with pytest.raises(BudgetSpentError):
        sides.transform(False, "difference64", np.zeros(700), 1)

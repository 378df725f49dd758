"""Assumptions about a distribution, and samples or scores that contradict them."""

import math
import re

import numpy as np
import pytest

from wgan_lip.transport.statistics.assumptions import Spread, check_probability, delta_of_look, spreads


def test_the_smaller_of_sigma_and_half_the_diameter_counts():
    assert spreads(None, None) == (Spread(None, None), Spread(None, None))
    assert spreads(4, None) == (Spread(4, 2), Spread(4, 2))
    assert spreads((4, 6), (1, 9)) == (Spread(4, 1), Spread(6, 3))
    assert spreads((None, 6), (1, None)) == (Spread(None, 1), Spread(6, 3))
    # A Dirac has no diameter and no sigma, however it was told.
    assert spreads((0, 5), (7, 0)) == (Spread(0, 0), Spread(0, 0))
    assert spreads(None, (0, None)) == (Spread(0, 0), Spread(None, None))
    assert [Spread(0, 0).is_dirac, Spread(1, 0.5).is_dirac, Spread(None, None).is_dirac] == [True, False, False]


@pytest.mark.parametrize("name", ["diameter", "sigma"])
@pytest.mark.parametrize("wrong", [-1, math.inf, math.nan, (1, -1), (math.nan, None)])
def test_sizes_are_finite_and_not_negative(name, wrong):
    message = f"{name} must be finite and at least 0, or None if not known; got {name}={wrong}"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        spreads(**{"diameter": None, "sigma": None, name: wrong})
    with pytest.raises(ValueError, match=f"^{name} must be one number, or a pair for x and y; got 1$"):
        spreads(**{"diameter": None, "sigma": None, name: (1,)})


@pytest.mark.parametrize("offset", [0.0, 1000.0])
def test_points_contradict_a_diameter_beyond_the_rounding_of_float32(offset):
    # One part in a million of the diameter, and one of the size of the points.
    points, slack = np.array([[offset], [offset + 1]]), (offset + 2) * 1e-6
    Spread(1 - 0.99 * slack, None).check_points(points, "z", "l2")
    with pytest.raises(ValueError, match=r"^diameter of the support of z must be at least the distance between"):
        Spread(1 - 1.01 * slack, None).check_points(points, "z", "l2")


def test_the_diameter_of_points_is_searched_from_the_farthest_one():
    points = np.array([[0.0, 0.0], [-3.0, -4.0], [3.0, 4.0]])
    for norm, observed in (("l2", 10), ("l1", 14), ("linf", 8)):
        Spread(observed, None).check_points(points, "z", norm)
        message = (
            "diameter of the support of z must be at least the distance between any two of its samples; "
            f"got diameter=7.5, and two samples {observed} apart ({norm})"
        )
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            Spread(7.5, None).check_points(points, "z", norm)
    Spread(None, 1).check_points(points, "z", "l2")


def test_scores_contradict_a_diameter_beyond_the_rounding_of_a_network():
    # One part in a hundred thousand of the diameter, and one of the size of the scores.
    Spread(None, 1).check_scores(np.array([0.0, 99.0]), "z")
    for scores, slack in (([0.0, 1.0], 2e-5), ([1000.0, 1001.0], 1001e-5 + 1e-5)):
        Spread(1 - 0.99 * slack, None).check_scores(np.array(scores), "z")
        with pytest.raises(ValueError, match=r"^z of a 1-Lipschitz function must have a range of at most the diameter"):
            Spread(1 - 1.01 * slack, None).check_scores(np.array(scores), "z")
    message = (
        "z of a 1-Lipschitz function must have a range of at most the diameter of the support; "
        "got a range of 3 and diameter=2"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        Spread(2, None).check_scores(np.array([-1.0, 2.0]), "z")


@pytest.mark.parametrize("value", [0, 1, -0.1, 1.1, math.nan])
def test_probabilities_lie_strictly_between_zero_and_one(value):
    check_probability(1e-300, "p")
    check_probability(1 - 1e-16, "p")
    with pytest.raises(ValueError, match=f"^p must lie strictly between 0 and 1; got p={value}$"):
        check_probability(value, "p")


def test_the_errors_of_all_looks_sum_to_the_whole():
    assert [delta_of_look(0.6, look) for look in (1, 2, 3)] == pytest.approx([0.3, 0.1, 0.05])
    # Of the first n looks, all but 1 / (n + 1) of it.
    assert sum(delta_of_look(0.025, look) for look in range(1, 1001)) == pytest.approx(0.025 * (1 - 1 / 1001))
    for look in (0, -3):
        with pytest.raises(ValueError, match=f"^look must be at least 1; got look={look}$"):
            delta_of_look(0.025, look)
    with pytest.raises(ValueError, match=r"^delta must lie strictly between 0 and 1; got delta=1$"):
        delta_of_look(1, 1)

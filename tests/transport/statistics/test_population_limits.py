"""Confidence bounds in detail: fewest samples, exact values, and the parts that compute them."""

import math
import re

import numpy as np
import pytest
import torch

from wgan_lip.transport import wasserstein1
from wgan_lip.transport.mcshane import mcshane_extension
from wgan_lip.transport.statistics import population
from wgan_lip.transport.statistics.assumptions import Spread, sub_gaussian_margin
from wgan_lip.transport.statistics.population import FEWEST_SAMPLES, PopulationBracket, population_bracket, split_lower
from wgan_lip.transport.statistics.population_lower import LowerBound, population_lower
from wgan_lip.transport.statistics.population_upper import UpperBound, population_upper


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_two_scores_are_enough_and_one_is_not():
    for known in ({}, {"diameter": 9}):
        bound = population_lower(np.array([1.0, 2.0]), np.array([0.0, 0.5]), **known)
        assert math.isfinite(bound.margin)
        message = "x_scores and y_scores must each hold at least two scores (one for a Dirac, diameter 0); got 1"
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            population_lower(np.array([1.0, 2.0]), np.array([0.0]), **known)


def test_scores_are_numbers_in_a_row_or_a_column():
    column = population_lower(np.ones((3, 1)), torch.zeros(3, 1))
    assert column == population_lower(np.ones(3), torch.zeros(3))
    for name in ("x_scores", "y_scores"):
        scores = {"x_scores": np.ones(3), "y_scores": np.ones(3), name: np.ones((3, 2))}
        with pytest.raises(ValueError, match=rf"^{name} must hold one number for each sample; got shape \(3, 2\)$"):
            population_lower(**scores)


def test_the_default_is_five_per_cent():
    x, y = np.random.default_rng(0).normal(size=(2, 9))
    assert population_lower(x, y) == population_lower(x, y, delta=0.05)
    assert population_upper(1.0, 3, 4, sigma=1) == population_upper(1.0, 3, 4, sigma=1, delta=0.05)
    points = torch.randn(12, 2)
    half = split_lower(points, points + 1, generator=generator())
    assert half == split_lower(points, points + 1, delta=0.05, generator=generator())
    assert population_bracket(points, points + 1, generator=generator()).confidence == pytest.approx(0.95)


@pytest.mark.parametrize(
    ("x", "y", "sigma"), [(1024.0, 1023.0, 0.0), (-1023.0, -1024.0, 0.0), (2.0, 0.0, 0.4), (3.0, -1.0, 1.0)]
)
def test_the_value_is_the_estimate_less_the_margin_and_eight_roundings(x, y, sigma):
    bound = population_lower(np.full(2, x), np.full(2, y), sigma=sigma)
    assert bound.estimate == x - y
    lost = (bound.estimate - bound.margin - bound.value) / 2.0**-53
    size = abs(x) + abs(y) + bound.margin
    # A number between a half and two is itself rounded by up to one of these units.
    assert 8 * size - 1 <= lost <= 8.1 * size + 1


def test_the_margin_of_sub_gaussian_scores():
    sides = Spread(None, 2.0), Spread(None, 3.0)
    assert sub_gaussian_margin(sides, (4, 9), 0.1) == pytest.approx(math.sqrt(2 * (1 + 1) * math.log(10)))
    for one in ((Spread(None, None), sides[1]), (sides[0], Spread(None, None))):
        assert sub_gaussian_margin(one, (4, 9), 0.1) == math.inf


def test_the_upper_bound_is_rounded_up():
    bound = population_upper(1.0, 1, 1, sigma=0)
    assert bound == UpperBound(value=1 + 2.0**-50, w1=1.0, margin=0.0, delta=0.05, guarantee="finite-sample")
    assert population_upper(0.0, 1, 1, diameter=0).value == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"w1": math.inf}, "w1 must be finite and at least 0; got w1=inf"),
        ({"w1": -1e-9}, "w1 must be finite and at least 0; got w1=-1e-09"),
        ({"x_size": 0}, "x_size and y_size must be at least 1; got x_size=0, y_size=9"),
        ({"y_size": 0}, "x_size and y_size must be at least 1; got x_size=9, y_size=0"),
        ({"delta": 1}, "delta must lie strictly between 0 and 1; got delta=1"),
    ],
)
def test_bad_arguments_of_the_upper_bound_are_refused(arguments, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        population_upper(**{"w1": 1.0, "x_size": 9, "y_size": 9, **arguments})


def test_a_bracket_keeps_its_two_bounds():
    lower = LowerBound(1.0, 3.0, 2.0, 0.1, "finite-sample", "betting")
    upper = UpperBound(9.0, 8.0, 1.0, 0.2, "finite-sample")
    bracket = PopulationBracket(lower, upper)
    assert (bracket.lower, bracket.upper, bracket.confidence) == (1.0, 9.0, pytest.approx(0.7))
    assert (bracket.lower_bound, bracket.upper_bound) == (lower, upper)


def test_eight_points_are_enough_and_seven_are_not():
    x = torch.randn(FEWEST_SAMPLES, 2)
    assert split_lower(x, x + 1, generator=generator()).value >= 0
    for name, pair in (("x", (x[1:], x)), ("y", (x, x[1:]))):
        message = f"{name} must hold at least 8 samples, or be a Dirac of diameter 0; got 7"
        with pytest.raises(ValueError, match=f"^{message}$"):
            split_lower(*pair, generator=generator())
    # Of a Dirac one is.
    assert split_lower(x, torch.zeros(1, 2), diameter=(None, 0), generator=generator()).value >= 0
    for wrong in (-1, 3):
        with pytest.raises(ValueError, match=f"^most_fitted must be at least 4; got most_fitted={wrong}$"):
            split_lower(x, x, most_fitted=wrong, generator=generator())
    assert split_lower(x, x, most_fitted=4, generator=generator()).value == 0


def test_a_bad_probability_of_error_is_refused():
    x = torch.randn(FEWEST_SAMPLES, 2)
    with pytest.raises(ValueError, match=r"^delta must lie strictly between 0 and 1; got delta=2$"):
        split_lower(x, x, delta=2, generator=generator())


def test_parts_are_halves_or_fewer_and_a_dirac_is_whole_in_both():
    x, y = np.arange(9.0)[:, None], np.full((5, 1), 7.0)
    sides = Spread(None, None), Spread(0.0, 0.0)
    first, second = population._parts((x, y), sides, generator())
    assert [len(part) for part in (*first, *second)] == [4, 1, 5, 1]
    assert sorted([*first[0][:, 0], *second[0][:, 0]]) == list(range(9))
    assert first[1].tolist() == second[1].tolist() == [[7.0]]
    for most, size in ((3, 3), (4, 4), (5, 4)):
        first, second = population._parts((x, x), sides[:1] * 2, generator(), most)
        assert [len(part) for part in (*first, *second)] == [size, size, 9 - size, 9 - size]


@pytest.mark.parametrize("norm", ["l2", "l1", "linf"])
def test_the_bracket_is_of_all_samples_in_its_norm(norm):
    x, y = torch.randn(10, 3), torch.randn(12, 3) + 1
    bracket = population_bracket(x, y, sigma=1, norm=norm, confidence=0.8, generator=generator())
    w1 = wasserstein1(x, y, norm=norm).upper
    assert bracket.upper_bound.w1 == w1
    assert bracket.upper == population_upper(w1, 10, 12, delta=0.1, sigma=1).value
    lower = split_lower(x, y, delta=0.1, sigma=1, norm=norm, generator=generator())
    assert (bracket.lower, bracket.lower_bound.estimate) == (lower.value, lower.estimate)
    assert bracket.confidence == pytest.approx(0.8)


def test_the_extension_that_certifies_most_within_the_fitted_half_scores(monkeypatch):
    asked, score = [], population._score

    def spy(critic, scored, sides, delta):
        bound = score(critic, scored, sides, delta)
        asked.append((critic.envelope, critic.norm, bound.estimate - bound.margin, delta))
        return bound

    monkeypatch.setattr(population, "_score", spy)
    x = torch.randn(60, 32)
    envelopes = set()
    for factor in (0.3, 3.0):
        asked.clear()
        split_lower(x, factor * torch.randn(60, 32), delta=0.2, norm="l1", sigma=9, generator=generator())
        *tried, last = asked
        assert [one[0] for one in tried] == ["largest", "smallest", "mean"]
        assert last[0] == max(tried, key=lambda one: one[2])[0]
        assert {one[1] for one in asked} == {"l1"}
        assert {one[3] for one in asked} == {0.2}
        envelopes.add(last[0])
    # The cones are on the more concentrated one.
    assert envelopes == {"largest", "smallest"}


@pytest.mark.parametrize("norm", ["l2", "l1", "linf"])
def test_the_critic_is_the_extension_of_the_norms_own_potentials(norm):
    x, y, z = np.random.default_rng(0).normal(size=(3, 20, 5))
    expected = mcshane_extension(x, y, wasserstein1(x, y, norm=norm), norm=norm, envelope="largest")
    assert np.array_equal(population._critic((x, y), "largest", norm)(z), expected(z))


def test_extensions_are_compared_by_a_critic_of_the_norm(monkeypatch):
    seen, critic = [], population._critic
    monkeypatch.setattr(population, "_critic", lambda *asks: (seen.append(asks[1:]), critic(*asks))[1])
    x = np.random.default_rng(0).normal(size=(20, 3))
    split_lower(x, x + 1, norm="linf", generator=generator())
    assert [norm for _, norm in seen] == ["linf", "linf"]


def test_each_side_is_scored_by_what_is_known_of_it():
    x, y = np.random.default_rng(0).normal(size=(2, 20, 2))
    critic = population._critic((x, y), "mean", "l2")
    sides = Spread(30.0, 15.0), Spread(None, 2.0)
    expected = population_lower(critic(x), critic(y), delta=0.1, diameter=(30, None), sigma=(15, 2))
    assert population._score(critic, (x, y), sides, 0.1) == expected
    sides = Spread(30.0, 9.0), Spread(20.0, 3.0)
    expected = population_lower(critic(x), critic(y), delta=0.1, diameter=(30, 20), sigma=(9, 3))
    assert population._score(critic, (x, y), sides, 0.1) == expected


def test_what_an_extension_certifies_is_its_estimate_less_its_margin(monkeypatch):
    told = {"largest": (3.0, 2.9), "smallest": (1.0, 0.5), "mean": (2.0, 1.8)}
    monkeypatch.setattr(
        population, "_score", lambda critic, *_: LowerBound(0, *told[critic.envelope], 0.1, "finite-sample", "betting")
    )
    x = np.random.default_rng(0).normal(size=(20, 2))
    sides = (Spread(None, None),) * 2
    assert population._choose_envelope((x, x + 1), sides, 0.1, "l2", generator()) == "smallest"

"""Confidence bounds of the population's W1: formulas, laws and errors."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from wgan_lip.transport import wasserstein1
from wgan_lip.transport.mcshane import mcshane_extension
from wgan_lip.transport.statistics import population
from wgan_lip.transport.statistics.betting import betting_lower
from wgan_lip.transport.statistics.population import PopulationBracket, population_bracket, split_lower
from wgan_lip.transport.statistics.population_lower import LowerBound, population_lower
from wgan_lip.transport.statistics.population_upper import UpperBound, population_upper

RNG = np.random.default_rng(0)
X_SCORES, Y_SCORES = RNG.uniform(size=60) + 3, RNG.uniform(size=40)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


# The lower bound.


@pytest.mark.parametrize("known", [{}, {"diameter": (2.0, 3.0)}, {"diameter": (2.0, 3.0), "sigma": 0.5}])
def test_betting_is_the_interval_unless_only_sigmas_are_known(known):
    bound = population_lower(X_SCORES, Y_SCORES, delta=0.1, **known)
    assert bound.value == pytest.approx(betting_lower(X_SCORES, Y_SCORES, 0.1), rel=1e-9)
    assert bound.estimate == pytest.approx(X_SCORES.mean() - Y_SCORES.mean())
    assert bound.value == pytest.approx(bound.estimate - bound.margin)
    assert (bound.guarantee, bound.interval, bound.delta) == ("finite-sample", "betting", 0.1)


def test_a_dirac_costs_no_margin():
    expected = betting_lower(X_SCORES, np.full(1, 0.5), 0.1, (False, True))
    for y_scores in (np.full(1, 0.5), np.full(7, 0.5)):
        bound = population_lower(X_SCORES, y_scores, delta=0.1, diameter=(2, 0))
        assert bound.value == pytest.approx(expected, rel=1e-9)
        assert bound.estimate == pytest.approx(X_SCORES.mean() - 0.5)
    # Samples of a Dirac that is not known to be one leave more possible.
    assert expected > betting_lower(X_SCORES, np.full(60, 0.5), 0.1)
    both = population_lower(np.full(1, 2.0), np.full(1, 0.5), diameter=0)
    assert both.margin == 0
    assert both.value == pytest.approx(1.5, rel=1e-14)
    assert both.value <= 1.5
    assert population_lower(np.full(1, 2.0), np.full(1, 0.5), sigma=0) == both


def test_sub_gaussian_sides_share_one_margin_and_a_diameter_is_half_a_sigma():
    bound = population_lower(X_SCORES, Y_SCORES, delta=0.1, sigma=(0.5, 2))
    assert bound.margin == pytest.approx(math.sqrt(2 * (0.25 / 60 + 4 / 40) * math.log(10)))
    assert (bound.guarantee, bound.interval) == ("finite-sample", "sub-gaussian")
    mixed = population_lower(X_SCORES, Y_SCORES, delta=0.1, sigma=(None, 2), diameter=(1, None))
    assert mixed.margin == bound.margin


@pytest.mark.parametrize("n", [2, 5, 8, 50, 1000])
def test_equal_scores_have_a_positive_margin(n):
    # P is 1 with probability 1 - p, else 0: of n draws all are 1 with probability delta.
    p = 1 - 0.05 ** (1 / n)
    assert 0 <= population_lower(np.ones(n), np.zeros(1), diameter=(None, 0)).value < 1 - p
    assert population_lower(np.ones(n), np.zeros(n)).value < 1 - p
    nearly = population_lower(np.linspace(1, 1 + 1e-12, n), np.linspace(0, 1e-12, n))
    assert nearly.value < 1 - p


def test_is_clipped_at_zero():
    assert population_lower(Y_SCORES, X_SCORES).value == 0
    assert population_lower(Y_SCORES, X_SCORES).estimate < 0


KNOWN = st.sampled_from([{}, {"sigma": 2.0}, {"diameter": (5.0, 3.0)}, {"diameter": (1.5, None), "sigma": (None, 1.0)}])


@settings(max_examples=50)
@given(KNOWN, st.floats(0.01, 0.45), st.floats(1e-3, 1e3), st.floats(-10, 10), st.integers(0, 99))
def test_laws_of_the_lower_bound(known, delta, factor, shift, seed):
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(size=30) + 1, rng.uniform(size=50)
    bound = population_lower(x, y, delta=delta, **known)
    scaled = {
        name: tuple(v and factor * v for v in value) if isinstance(value, tuple) else factor * value
        for name, value in known.items()
    }
    moved = population_lower(factor * (x + shift), factor * (y + shift), delta=delta, **scaled)
    assert moved.estimate == pytest.approx(factor * bound.estimate, rel=1e-9)
    assert moved.margin == pytest.approx(factor * bound.margin, rel=1e-9)
    # More doubt allowed, or every score twice as often: a smaller margin.
    assert population_lower(x, y, delta=delta * 1.1, **known).margin < bound.margin
    assert population_lower(np.repeat(x, 2), np.repeat(y, 2), delta=delta, **known).margin < bound.margin


def test_scores_of_the_fitted_samples_give_no_bound():
    # The reason why population_bracket splits: in R^16 the exact potential of 100 points fits their noise.
    rng = np.random.default_rng(0)
    x, y, u, v = rng.normal(size=(4, 100, 16))
    f = mcshane_extension(x, y, wasserstein1(x, y))
    assert population_lower(f(x), f(y)).value > 3
    assert population_lower(f(u), f(v)).value == 0


# The upper bound.


def test_upper_is_mcdiarmids_for_a_diameter():
    bound = population_upper(3.0, 100, 50, delta=0.1, diameter=(2, 4))
    assert bound.margin == pytest.approx(math.sqrt((4 / 100 + 16 / 50) * math.log(10) / 2))
    assert bound.value == pytest.approx(3 + bound.margin)
    assert bound.guarantee == "finite-sample"
    same = population_upper(3.0, 100, 100, delta=0.1, diameter=2)
    assert same.margin == pytest.approx(2 * math.sqrt(math.log(10) / 100))


def test_upper_takes_the_smaller_of_sigma_and_half_the_diameter():
    margin = math.sqrt(2 * (0.25 / 100 + 1 / 50) * math.log(10))
    assert population_upper(3.0, 100, 50, delta=0.1, sigma=(0.5, 1)).margin == pytest.approx(margin)
    assert population_upper(3.0, 100, 50, delta=0.1, sigma=(0.5, 7), diameter=(9, 2)).margin == pytest.approx(margin)
    assert population_upper(3.0, 100, 50, sigma=(0, 1)).margin == population_upper(3.0, 1, 50, sigma=(0, 1)).margin


@pytest.mark.parametrize("known", [{}, {"diameter": (None, 1)}, {"sigma": (1, None)}])
def test_there_is_no_upper_bound_where_nothing_is_known(known):
    bound = population_upper(3.0, 100, 50, **known)
    assert bound.value == bound.margin == math.inf
    assert bound.guarantee is None


# The bracket.


def test_diracs_are_bracketed_to_rounding():
    bracket = population_bracket(np.zeros((1, 2)), np.ones((3, 2)), diameter=0, norm="l1", generator=generator())
    assert bracket.lower <= 2 <= bracket.upper
    assert bracket.upper - bracket.lower < 1e-13
    assert bracket.confidence == pytest.approx(0.95)


def test_dirac_against_a_sphere():
    sphere = torch.nn.functional.normalize(torch.randn(1000, 128), dim=1)
    bracket = population_bracket(torch.zeros(1, 128), sphere, diameter=(0, 2), generator=generator())
    # All scores are 1, and their bets win: only that some might not have been is left.
    assert bracket.lower_bound.estimate == pytest.approx(1, rel=1e-6)
    assert bracket.lower == pytest.approx(betting_lower(np.ones(500), np.zeros(1), 0.025, (False, True)), rel=1e-5)
    assert 0.98 < bracket.lower < 0.025 ** (1 / 500)
    assert bracket.upper == pytest.approx(1 + 2 * math.sqrt(math.log(1 / 0.025) / 2000), rel=1e-6)
    assert (bracket.lower_bound.guarantee, bracket.upper_bound.guarantee) == ("finite-sample", "finite-sample")


def test_without_knowledge_the_bracket_is_open_above():
    x = torch.randn(200, 4)
    bracket = population_bracket(x, torch.randn(200, 4) + 2, generator=generator())
    assert 2 < bracket.lower < 4 < bracket.upper == math.inf
    assert (bracket.lower_bound.guarantee, bracket.upper_bound.guarantee) == ("finite-sample", None)
    assert bracket.upper_bound.w1 > bracket.lower


@pytest.mark.parametrize("scale", [0.5, 2.0])
def test_the_extension_suits_either_side_being_the_wider(scale):
    # In R^64 cones on the wider sample certify nothing.
    x, y = torch.randn(400, 64), scale * torch.randn(400, 64)
    assert population_bracket(x, y, generator=generator()).lower > 0.4 * abs(scale - 1) * 8


def test_scored_samples_neither_fit_nor_choose_the_extension(monkeypatch):
    calls, score = [], population._score

    def spy(critic, scored, *rest):
        calls.append((set(critic.x[:, 0]), set(scored[0][:, 0])))
        return score(critic, scored, *rest)

    monkeypatch.setattr(population, "_score", spy)
    population_bracket(torch.randn(40, 2), torch.randn(40, 2), generator=generator())
    *chosen, (fitted, scored) = calls
    assert len(chosen) == 3
    assert len(fitted) == len(scored) == 20
    assert not fitted & scored
    for half, other in chosen:
        assert half | other == fitted
        assert not half & other


def test_most_fitted_limits_the_fitted_samples(monkeypatch):
    calls, score = [], population._score

    def spy(critic, scored, *rest):
        calls.append((set(critic.x[:, 0]), set(scored[0][:, 0])))
        return score(critic, scored, *rest)

    monkeypatch.setattr(population, "_score", spy)
    x, y = torch.randn(2, 60, 2)
    bound = split_lower(x, y + 5, delta=0.1, sigma=1, most_fitted=8, generator=generator())
    fitted, scored = calls[-1]
    assert (len(fitted), len(scored)) == (8, 52)
    assert not fitted & scored
    assert bound.margin == pytest.approx(math.sqrt(2 * (2 / 52) * math.log(10)))
    # More than half is half: what the bracket does.
    whole = split_lower(x, y, delta=0.025, most_fitted=999, generator=generator())
    assert whole.value == population_bracket(x, y, generator=generator()).lower
    with pytest.raises(ValueError, match="most_fitted must be at least 4; got most_fitted=3"):
        split_lower(x, y, most_fitted=3, generator=generator())


def test_one_distribution_twice_is_at_no_distance():
    # Samples of it are, but the half that scores is not the half that was fitted.
    x, y = torch.randn(2, 400, 16)
    bracket = population_bracket(x, y, sigma=1, generator=generator())
    assert bracket.upper_bound.w1 > 3
    assert bracket.lower == 0
    assert abs(bracket.lower_bound.estimate) < 0.3


def test_is_a_function_of_the_generator():
    x, y = torch.randn(40, 3), torch.randn(30, 3) + 1
    first, second, other = (population_bracket(x, y, sigma=1, generator=generator(seed)) for seed in (1, 1, 2))
    assert first == second
    assert first.lower != other.lower
    assert first.upper == other.upper


def test_bounds_of_any_critic_can_be_joined():
    lower = population_lower(X_SCORES, Y_SCORES, delta=0.02)
    upper = population_upper(4.0, 60, 40, delta=0.03, diameter=9)
    bracket = PopulationBracket(lower, upper)
    assert bracket.confidence == pytest.approx(0.95)
    assert (bracket.lower, bracket.upper, bracket.upper_bound.w1) == (lower.value, upper.value, 4.0)


def test_errors_that_leave_no_confidence_are_refused():
    lower = LowerBound(0, 0, 0, 0.5, "finite-sample", "betting")
    with pytest.raises(
        ValueError, match=r"delta of lower_bound and upper_bound must sum to less than 1; got 0\.5 and 0\.5"
    ):
        PopulationBracket(lower, UpperBound(1, 1, 0, 0.5, None))


NAN = np.array([1.0, np.nan])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"delta": 0}, "delta must lie strictly between 0 and 1; got delta=0"),
        ({"delta": 1}, "got delta=1"),
        ({"delta": math.nan}, "got delta=nan"),
        ({"diameter": -1}, "diameter must be finite and at least 0, or None if not known; got diameter=-1"),
        ({"diameter": (5, math.inf)}, r"got diameter=\(5, inf\)"),
        ({"diameter": (1, 2, 3)}, "diameter must be one number, or a pair for x and y; got 3"),
        ({"sigma": math.nan}, "sigma must be finite and at least 0"),
        (
            {"diameter": 0.5},
            r"x_scores of a 1-Lipschitz function must have a range of at most .* got a range of 0\.9\d* and diam",
        ),
        ({"diameter": (1, 0)}, "y_scores of a 1-Lipschitz function must have a range"),
        ({"x_scores": NAN}, "x_scores holds NaN or infinity in 1 of 2"),
        ({"y_scores": np.ones((4, 2))}, r"y_scores must hold one number for each sample; got shape \(4, 2\)"),
        ({"x_scores": np.ones(1)}, "must each hold at least two scores .* got 1"),
        ({"x_scores": np.ones(1), "diameter": 2}, "must each hold at least two scores .* got 1"),
        ({"x_scores": np.ones(0)}, "x_scores must hold at least one point"),
    ],
)
def test_bad_scores_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        population_lower(**{"x_scores": X_SCORES, "y_scores": Y_SCORES, **arguments})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"delta": -0.1}, "delta must lie strictly between 0 and 1; got delta=-0.1"),
        ({"w1": -1.0}, "w1 must be finite and at least 0; got w1=-1.0"),
        ({"w1": math.nan}, "got w1=nan"),
        ({"y_size": 0}, "x_size and y_size must be at least 1; got x_size=9, y_size=0"),
        ({"sigma": -2}, "got sigma=-2"),
    ],
)
def test_bad_distances_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        population_upper(**{"w1": 1.0, "x_size": 9, "y_size": 9, **arguments})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"confidence": 1}, "confidence must lie strictly between 0 and 1; got confidence=1"),
        ({"norm": "l3"}, "norm must be one of"),
        ({"x": np.ones((7, 2))}, "x must hold at least 8 samples, or be a Dirac of diameter 0; got 7"),
        ({"y": np.ones((9, 3))}, "same dimension"),
        ({"diameter": (0, 1)}, "diameter of the support of x .* got diameter=0, and two samples .* apart"),
        ({"diameter": (10, 1)}, r"diameter of the support of y .* got diameter=1, and two samples 5 apart \(l2\)"),
        ({"diameter": (10, 6), "norm": "l1"}, r"two samples 7 apart \(l1\)"),
        ({"diameter": (10, 3), "norm": "linf"}, r"two samples 4 apart \(linf\)"),
        ({"sigma": (0, 1)}, "diameter=0"),
    ],
)
def test_bad_samples_are_named(arguments, message):
    x, y = np.random.default_rng(0).uniform(size=(9, 2)), np.zeros((9, 2))
    y[4] = 3, 4
    with pytest.raises(ValueError, match=message):
        population_bracket(**{"x": x, "y": y, "generator": generator(), **arguments})


def test_a_diameter_is_contradicted_by_points_far_from_each_other_but_not_from_the_first():
    x = np.zeros((9, 2))
    x[3], x[7] = (-1, 0), (1, 0)
    with pytest.raises(ValueError, match=r"diameter=1\.9, and two samples 2 apart"):
        population_bracket(x, x, diameter=1.9, generator=generator())
    assert population_bracket(x, x, diameter=2, generator=generator()).lower == 0


def test_rounding_of_the_samples_contradicts_no_diameter():
    sphere = torch.nn.functional.normalize(torch.randn(50, 3), dim=1)
    both = torch.cat((sphere, -sphere))
    assert math.isfinite(population_bracket(both, both + 5, diameter=2, generator=generator()).upper)

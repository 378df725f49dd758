"""McShane's extension: 1-Lipschitz everywhere, optimal on the samples it was fitted to."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from tests.transport.problems import METRICS, problems
from wgan_lip.transport import wasserstein1
from wgan_lip.transport.mcshane import mcshane_extension
from wgan_lip.transport.norm import pairwise

NORMS = st.sampled_from(["l2", "l1", "linf"])
ENVELOPES = st.sampled_from(["largest", "smallest", "mean"])


def fitted(x, y, norm="l2", envelope="mean"):
    return mcshane_extension(x, y, wasserstein1(x, y, norm=norm), norm=norm, envelope=envelope)


@settings(max_examples=100)
@given(problems(max_size=30, max_dimension=50), NORMS, ENVELOPES, st.integers(0, 99))
def test_is_one_lipschitz_everywhere(problem, norm, envelope, seed):
    f = fitted(problem.x, problem.y, norm, envelope)
    rng = np.random.default_rng(seed)
    center, width = problem.x.mean(axis=0), np.abs(problem.x).max() + np.abs(problem.y).max()
    far = center + width * rng.normal(size=(20, problem.x.shape[1]))
    z = np.concatenate((problem.x, problem.y, far))
    values, distance = f(z), pairwise(z, z, norm)
    rounding = 1e-12 * (width + np.abs(values).max())
    assert f.lipschitz_constant == 1
    assert (np.abs(values[:, None] - values[None, :]) <= distance + rounding).all()


@settings(max_examples=100)
@given(problems(max_size=30, max_dimension=50), NORMS, ENVELOPES)
def test_is_an_optimal_critic_of_its_own_samples(problem, norm, envelope):
    result = wasserstein1(problem.x, problem.y, norm=norm)
    f = mcshane_extension(problem.x, problem.y, result, norm=norm, envelope=envelope)
    size = np.abs(problem.x).sum(axis=1).max() + np.abs(problem.y).sum(axis=1).max()
    rounding = 1e-12 * size
    assert (f(problem.x) >= result.x_potential - rounding).all()
    assert (f(problem.y) <= -result.y_potential + rounding).all()
    score = float(f(problem.x).mean() - f(problem.y).mean())
    assert score == pytest.approx(result.value, rel=1e-9, abs=rounding)


@settings(max_examples=50)
@given(problems(max_size=30, max_dimension=20), st.integers(0, 99))
def test_no_score_of_other_samples_exceeds_their_own_distance(problem, seed):
    rng = np.random.default_rng(seed)
    d = problem.x.shape[1]
    u, v = rng.normal(size=(15, d)), rng.normal(size=(11, d)) + 1
    f = fitted(problem.x, problem.y)
    assert f(u).mean() - f(v).mean() <= wasserstein1(u, v).upper + 1e-12 * (1 + np.abs(f(u)).max())


def test_extensions_agree_between_two_points_and_part_beyond_them():
    # f(0) = 2 and f(2) = 0, up to a constant, leave one choice between 0 and 2.
    x, y, z = np.array([[0.0]]), np.array([[2.0]]), np.array([[-1.0], [0.5], [3.0]])
    offset = fitted(x, y, envelope="largest")(y)
    np.testing.assert_allclose(fitted(x, y, envelope="largest")(z) - offset, [3, 1.5, 1], atol=1e-14)
    np.testing.assert_allclose(fitted(x, y, envelope="smallest")(z) - offset, [1, 1.5, -1], atol=1e-14)
    np.testing.assert_allclose(fitted(x, y, envelope="mean")(z) - offset, [2, 1.5, 0], atol=1e-14)


def test_swapping_the_sets_swaps_the_envelopes():
    x, y, z = np.random.default_rng(0).normal(size=(3, 20, 4))
    solution = wasserstein1(x, y)
    swapped = replace(solution, x_potential=solution.y_potential, y_potential=solution.x_potential)
    largest = mcshane_extension(x, y, solution, envelope="largest")
    smallest = mcshane_extension(y, x, swapped, envelope="smallest")
    np.testing.assert_array_equal(smallest(z), -largest(z))


@pytest.mark.parametrize("dimension", [3, 20])
@pytest.mark.parametrize("norm", ["l2", "l1", "linf"])
def test_values_are_those_of_the_formula(norm, dimension):
    x, y, z = np.random.default_rng(0).normal(size=(3, 50, dimension))
    solution = wasserstein1(x, y, norm=norm)
    to_y, to_x = (cdist(z, points, METRICS[norm]) for points in (y, x))
    largest = (to_y - solution.y_potential).min(axis=1)
    smallest = (solution.x_potential - to_x).max(axis=1)
    for envelope, expected in (("largest", largest), ("smallest", smallest), ("mean", (largest + smallest) / 2)):
        f = mcshane_extension(x, y, solution, norm=norm, envelope=envelope)
        np.testing.assert_allclose(f(z), expected, rtol=0, atol=1e-13 * np.abs(expected).max())


@pytest.mark.parametrize("envelope", ["largest", "smallest", "mean"])
@pytest.mark.parametrize("spread", [1e-9, 1e-8, 1e-7])
def test_cones_that_nearly_meet_are_distinguished(envelope, spread):
    rng = np.random.default_rng(0)
    x = np.concatenate((np.zeros((30, 16)), np.ones((30, 16)))) + spread * rng.normal(size=(60, 16))
    y = np.concatenate((np.full((30, 16), 0.3), np.full((30, 16), 1.5))) + spread * rng.normal(size=(60, 16))
    f, value = fitted(x, y, envelope=envelope), wasserstein1(x, y).value
    assert f(x).mean() - f(y).mean() == pytest.approx(value, rel=1e-12)


def test_takes_tensors_of_any_shape():
    x, y = torch.randn(2, 10, 1, 3, 3)
    assert fitted(x, y)(x.requires_grad_()).shape == (10,)


X, Y = np.zeros((2, 2)), np.ones((3, 2))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: fitted(X, Y, envelope="both"), "envelope must be one of largest, smallest, mean; got envelope='both'"),
        (lambda: mcshane_extension(X, Y, wasserstein1(X, Y), norm="l3"), "norm must be one of l2, l1, linf"),
        (lambda: mcshane_extension(Y, X, wasserstein1(X, Y)), r"got x_potential of shape \(2,\) for 3 points"),
        (lambda: fitted(X, Y)(np.ones((1, 3))), "z must have the dimension of the samples, 2; got 3"),
        (lambda: fitted(X, Y)(np.full((1, 2), np.nan)), "z holds NaN"),
        (lambda: fitted(X, Y)(np.full((1, 2), 1.7e308)), "overflow float64"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()

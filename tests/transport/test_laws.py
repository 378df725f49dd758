"""Laws of W1 for any points: metamorphic tests, and problems with a closed form."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.transport.problems import problems
from wgan_lip.transport import wasserstein1


def size(*sets: np.ndarray) -> float:
    """What rounding of coordinates can amount to, in units of eps."""
    return float(max(np.linalg.norm(points, axis=1).max() for points in sets))


@settings(max_examples=60)
@given(problems(max_size=40))
def test_symmetry(problem):
    forward, backward = wasserstein1(problem.x, problem.y).value, wasserstein1(problem.y, problem.x).value
    assert forward == pytest.approx(backward, rel=1e-9, abs=1e-13 * size(problem.x, problem.y))


@settings(max_examples=60)
@given(problems(max_size=40))
def test_distance_to_itself_is_zero_whatever_the_order(problem):
    result = wasserstein1(problem.x, problem.x[::-1])
    assert result.lower == 0
    assert result.value <= result.upper <= 1e-13 * size(problem.x)


@settings(max_examples=60)
@given(problems(max_size=40), st.integers(0, 99))
def test_a_common_translation_changes_nothing_and_a_shift_of_one_set_is_its_length(problem, seed):
    shift = np.random.default_rng(seed).normal(size=problem.x.shape[1])
    moved = wasserstein1(problem.x + shift, problem.y + shift).value
    rounding = 1e-13 * size(problem.x, problem.y, shift[None])
    assert moved == pytest.approx(wasserstein1(problem.x, problem.y).value, rel=1e-9, abs=rounding)
    shifted = wasserstein1(problem.x, problem.x + shift).value
    assert shifted == pytest.approx(float(np.linalg.norm(shift)), rel=1e-9, abs=rounding)


@settings(max_examples=60)
@given(problems(max_size=40), st.floats(1e-6, 1e6))
def test_scaling(problem, factor):
    expected = factor * wasserstein1(problem.x, problem.y).value
    scaled = wasserstein1(factor * problem.x, factor * problem.y).value
    assert scaled == pytest.approx(expected, rel=1e-9, abs=1e-13 * factor * size(problem.x, problem.y))


@settings(max_examples=60)
@given(problems(max_size=25), st.integers(0, 99))
def test_triangle_inequality(problem, seed):
    z = np.random.default_rng(seed).normal(size=(7, problem.x.shape[1]))
    direct = wasserstein1(problem.x, problem.y)
    detour = wasserstein1(problem.x, z).upper + wasserstein1(z, problem.y).upper
    assert direct.lower <= detour


@settings(max_examples=40)
@given(problems(max_size=30))
def test_repeating_every_point_changes_nothing(problem):
    once = wasserstein1(problem.x, problem.y).value
    twice = wasserstein1(np.repeat(problem.x, 2, axis=0), problem.y).value
    assert twice == pytest.approx(once, rel=1e-9, abs=1e-13 * size(problem.x, problem.y))


@settings(max_examples=40)
@given(problems(max_size=30, max_dimension=20), st.integers(0, 99))
def test_rotation_changes_nothing(problem, seed):
    d = problem.x.shape[1]
    rotation = np.linalg.qr(np.random.default_rng(seed).normal(size=(d, d)))[0]
    turned = wasserstein1(problem.x @ rotation, problem.y @ rotation).value
    expected = wasserstein1(problem.x, problem.y).value
    assert turned == pytest.approx(expected, rel=1e-9, abs=1e-12 * size(problem.x, problem.y))


@settings(max_examples=40)
@given(st.integers(1, 50), st.integers(1, 784), st.integers(0, 99))
def test_one_point_against_many_is_the_mean_distance(n, d, seed):
    # All mass comes from one place, so there is one plan.
    rng = np.random.default_rng(seed)
    point, y = rng.normal(size=(1, d)), rng.normal(size=(n, d))
    expected = float(np.linalg.norm(y - point, axis=1).mean())
    assert wasserstein1(point, y).value == pytest.approx(expected, rel=1e-12)


def test_dirac_against_plus_and_minus_an_image_square():
    # Black against ±1 on a 35 x 35 square: every path has length sqrt(35 * 35) = 35.
    square = np.zeros((64, 64))
    square[14:49, 14:49] = 1
    assert wasserstein1(np.zeros((1, 64, 64)), np.stack([square, -square])).value == pytest.approx(35, rel=1e-12)

"""W1 between halves of one sample."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.transport.problems import problems
from wgan_lip.transport import wasserstein1
from wgan_lip.transport.statistics.noise_floor import disjoint_subsets, noise_floor
from wgan_lip.transport.statistics.sliced import draw_directions


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_two_points_are_their_distance_apart():
    floor = noise_floor(np.array([[0.0, 0.0], [3.0, 4.0]]), splits=3, generator=generator())
    assert floor.values == pytest.approx((5, 5, 5))
    assert floor.mean == pytest.approx(5)
    assert floor.std == pytest.approx(0, abs=1e-15)
    assert floor.size == 1


def test_half_the_points_are_compared_with_the_other_half_five_times_by_default():
    floor = noise_floor(np.arange(11.0)[:, None], generator=generator())
    assert (len(floor.values), floor.size) == (5, 5)
    assert noise_floor(np.zeros((2, 1)), size=1, generator=generator()).values == (0, 0, 0, 0, 0)
    x = np.random.default_rng(0).normal(size=(9, 2))
    drawn = generator(3)
    first, second = disjoint_subsets(x, (4, 4), drawn)
    assert noise_floor(x, splits=1, generator=generator(3)).values == (wasserstein1(first, second).value,)


def test_the_floor_of_a_dirac_is_zero():
    assert noise_floor(np.ones((20, 3)), generator=generator()).mean == 0


@settings(max_examples=40)
@given(problems(max_size=20, max_dimension=20), st.floats(1e-3, 1e3), st.integers(0, 99))
def test_scaling(problem, factor, seed):
    x = np.concatenate((problem.x, problem.y))
    plain = noise_floor(x, splits=2, generator=generator(seed))
    scaled = noise_floor(factor * x, splits=2, generator=generator(seed))
    rounding = 1e-13 * factor * float(np.abs(x).max()) * x.shape[1]
    assert scaled.values == pytest.approx([factor * value for value in plain.values], rel=1e-9, abs=rounding)


def test_falls_with_the_size_and_follows_the_norm():
    x = torch.randn(400, 8)
    small, large = (noise_floor(x, size=size, splits=4, generator=generator()).mean for size in (20, 200))
    assert large < small
    linf, l2, l1 = (noise_floor(x, size=50, norm=norm, generator=generator()).mean for norm in ("linf", "l2", "l1"))
    assert linf < l2 < l1


def test_is_a_function_of_the_generator():
    x = torch.randn(40, 3)
    first, second, other = (noise_floor(x, generator=generator(seed)) for seed in (1, 1, 2))
    assert first == second != other
    assert first.size == 20
    assert len(set(first.values)) == 5
    assert first.mean == pytest.approx(np.mean(first.values))
    assert first.std == pytest.approx(np.std(first.values, ddof=1))


def test_two_splits_have_a_spread():
    floor = noise_floor(np.array([0.0, 1, 3, 9, 20, 40]), splits=2, generator=generator())
    assert floor.values[0] != floor.values[1]
    assert floor.std == pytest.approx(abs(floor.values[0] - floor.values[1]) / math.sqrt(2))


def test_a_single_split_has_no_spread():
    assert math.isnan(noise_floor(torch.randn(8, 3), splits=1, generator=generator()).std)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"size": 6}, "size must be between 1 and 5, half of the 11 points; got size=6"),
        ({"size": 0}, "size must be between 1 and 5, half of the 11 points; got size=0$"),
        ({"size": 6, "x": np.ones((12, 2)), "splits": -1}, "splits must be at least 1; got splits=-1"),
        ({"splits": 0}, "splits must be at least 1; got splits=0"),
        ({"norm": "max"}, "norm must be one of"),
        ({"x": np.ones((1, 2))}, "x must hold at least two points; got 1"),
        ({"x": np.full((4, 2), np.nan)}, "x holds NaN"),
    ],
)
def test_bad_input_is_named(arguments, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        noise_floor(**{"x": np.ones((11, 2)), "generator": generator(), **arguments})


def test_subsets_are_disjoint_in_a_random_order_and_may_leave_some_out():
    points = np.arange(30.0)[:, None]
    subsets = disjoint_subsets(points, (3, 4, 0, 20), torch.Generator().manual_seed(0))
    assert [len(subset) for subset in subsets] == [3, 4, 0, 20]
    order = torch.randperm(30, generator=torch.Generator().manual_seed(0))
    assert np.concatenate(subsets)[:, 0].tolist() == order[:27].tolist()


def test_draws_use_the_device_of_their_generator():
    points, directions = np.arange(5.0)[:, None], draw_directions(3, 2, generator=torch.Generator().manual_seed(0))
    with torch.device("meta"):
        subsets = disjoint_subsets(points, (5,), torch.Generator("cpu").manual_seed(0))
        assert np.array_equal(draw_directions(3, 2, generator=torch.Generator("cpu").manual_seed(0)), directions)
    assert sorted(subsets[0][:, 0]) == [0, 1, 2, 3, 4]

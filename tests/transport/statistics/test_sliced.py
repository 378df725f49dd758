"""Sliced W1 against POT, closed forms, and the W1 that it bounds."""

import math

import numpy as np
import ot
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.transport.problems import problems
from wgan_lip.transport import wasserstein1
from wgan_lip.transport.norm import pairwise
from wgan_lip.transport.statistics import sliced
from wgan_lip.transport.statistics.sliced import draw_directions, sliced_wasserstein1


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@settings(max_examples=60)
@given(problems(max_size=40, max_dimension=30), st.integers(0, 99))
def test_agrees_with_pot(problem, seed):
    result = sliced_wasserstein1(problem.x, problem.y, directions=20, generator=generator(seed))
    directions = draw_directions(20, problem.x.shape[1], generator=generator(seed))
    reference = ot.sliced_wasserstein_distance(problem.x, problem.y, p=1, projections=directions.T)
    size = float(np.abs(problem.x).max() + np.abs(problem.y).max()) * problem.x.shape[1]
    assert result.mean == pytest.approx(float(reference), rel=1e-9, abs=1e-13 * size)


@settings(max_examples=60)
@given(problems(max_size=30, max_dimension=30), st.sampled_from(["l2", "l1", "linf"]), st.integers(0, 99))
def test_mean_and_maximum_are_lower_bounds_in_every_norm(problem, norm, seed):
    result = sliced_wasserstein1(problem.x, problem.y, directions=30, norm=norm, generator=generator(seed))
    size = float(np.abs(problem.x).max() + np.abs(problem.y).max()) * problem.x.shape[1]
    assert result.mean <= result.maximum * (1 + 1e-12)
    assert result.maximum <= wasserstein1(problem.x, problem.y, norm=norm).upper + 1e-13 * size
    attained = wasserstein1(problem.x @ result.direction, problem.y @ result.direction).value
    assert attained == pytest.approx(result.maximum, rel=1e-9, abs=1e-13 * size)


@pytest.mark.parametrize("norm", ["l2", "l1", "linf"])
def test_directions_are_one_lipschitz_and_attain_it(norm):
    directions = draw_directions(50, 6, norm=norm, generator=generator())
    x, y = np.random.default_rng(0).normal(size=(2, 300, 6))
    slopes = np.abs((x - y) @ directions.T) / np.diag(pairwise(x, y, norm))[:, None]
    assert slopes.max() <= 1 + 1e-14
    # The steepest way up: u itself, its signs, or its largest coordinate.
    steepest = {"l2": directions, "linf": np.sign(directions), "l1": np.eye(6)[np.abs(directions).argmax(axis=1)]}[norm]
    length = {"l2": np.linalg.norm(steepest, axis=1), "linf": 1.0, "l1": 1.0}[norm]
    np.testing.assert_allclose(np.abs((directions * steepest).sum(axis=1)) / length, 1, rtol=1e-14)


def test_translation_in_the_plane():
    # E |<u, t>| = 2 |t| / pi on the unit circle.
    x = torch.randn(50, 2, dtype=torch.float64)
    result = sliced_wasserstein1(x, x + torch.tensor([3.0, 4.0]), directions=4000, generator=generator())
    assert abs(result.mean - 10 / math.pi) < 4 * result.standard_error
    # cos^2 has mean 1/2, so |cos| has standard deviation sqrt(1/2 - 4/pi^2).
    assert result.standard_error == pytest.approx(5 * math.sqrt((0.5 - 4 / math.pi**2) / 4000), rel=0.05)
    assert result.maximum == pytest.approx(5, rel=1e-4)


@settings(max_examples=40)
@given(problems(max_size=30, max_dimension=1), st.integers(0, 99))
def test_on_the_real_line_it_is_w1(problem, seed):
    result = sliced_wasserstein1(problem.x, problem.y, directions=3, generator=generator(seed))
    size = float(np.abs(problem.x).max() + np.abs(problem.y).max())
    assert result.mean == pytest.approx(wasserstein1(problem.x, problem.y).value, rel=1e-9, abs=1e-13 * size)
    assert result.standard_error == pytest.approx(0, abs=1e-12 * size)


def test_is_a_function_of_the_generator_and_blocks_change_nothing(monkeypatch):
    x, y = torch.randn(30, 5), torch.randn(20, 5)
    first = sliced_wasserstein1(x, y, generator=generator(1))
    monkeypatch.setattr(sliced, "_BLOCK", 500)
    second = sliced_wasserstein1(x, y, generator=generator(1))
    assert first.mean == pytest.approx(second.mean, rel=1e-14)
    np.testing.assert_array_equal(first.direction, second.direction)
    assert first.mean != sliced_wasserstein1(x, y, generator=generator(2)).mean
    assert first.directions == 256


@pytest.mark.parametrize("block", [1, 5, 12, 2**22])
def test_the_maximum_is_that_of_the_returned_direction_and_two_have_a_standard_error(block, monkeypatch):
    monkeypatch.setattr(sliced, "_BLOCK", block)
    x, y = np.random.default_rng(0).normal(size=(2, 4, 3))
    y = y[:3]
    result = sliced_wasserstein1(x, y, directions=7, norm="l1", generator=generator(2))
    directions = draw_directions(7, 3, norm="l1", generator=generator(2))
    values = [wasserstein1(x @ u, y @ u).value for u in directions]
    assert result.maximum == pytest.approx(max(values), rel=1e-12)
    assert result.mean == pytest.approx(np.mean(values), rel=1e-12)
    assert result.standard_error == pytest.approx(np.std(values, ddof=1) / math.sqrt(7), rel=1e-9)
    assert np.array_equal(result.direction, directions[np.argmax(values)])
    two = sliced_wasserstein1(x, y, directions=2, generator=generator(2))
    assert two.standard_error >= 0


@pytest.mark.parametrize("block", [5, 20, 21, 50])
def test_directions_are_projected_in_blocks_of_bounded_size(block, monkeypatch):
    sizes, sort = [], np.sort
    monkeypatch.setattr(sliced, "_BLOCK", block)
    monkeypatch.setattr(
        np, "sort", lambda values, **options: (sizes.append(values.shape[1]), sort(values, **options))[1]
    )
    sliced_wasserstein1(np.ones((6, 2)), np.zeros((4, 2)), directions=5, generator=generator())
    assert max(sizes) == max(1, block // 10)
    assert sum(sizes) == 2 * 5


def test_one_direction_has_no_standard_error():
    assert math.isnan(
        sliced_wasserstein1(np.ones((2, 3)), np.zeros((2, 3)), directions=1, generator=generator()).standard_error
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"directions": 0}, "directions and dimension must be at least 1; got directions=0, dimension=3$"),
        ({"norm": "l3"}, "norm must be one of"),
        ({"y": np.ones((2, 4))}, "x and y must have the same dimension"),
        ({"x": np.full((2, 3), np.inf)}, "x holds NaN or infinity"),
        (
            {"x": np.full((2, 3), 1e308), "y": np.full((2, 3), -1e308), "norm": "l1"},
            "projections of x and y overflow float64: scale both down$",
        ),
    ],
)
def test_bad_input_is_named(arguments, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        sliced_wasserstein1(**{"x": np.ones((2, 3)), "y": np.zeros((2, 3)), "generator": generator(), **arguments})


def test_projections_may_overflow_if_their_distance_does_not():
    x = np.full((2, 3), 1e308)
    assert sliced_wasserstein1(x, x, norm="l1", generator=generator()).maximum == 0


def test_directions_are_drawn_in_one_dimension_too():
    assert np.abs(draw_directions(3, 1, generator=generator())).tolist() == [[1], [1], [1]]
    assert draw_directions(1, 5, generator=generator()).shape == (1, 5)
    with pytest.raises(
        ValueError, match=r"^directions and dimension must be at least 1; got directions=1, dimension=0$"
    ):
        draw_directions(1, 0, generator=generator())

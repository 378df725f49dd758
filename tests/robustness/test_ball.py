"""No point ever lies outside of the ball or the box; projections and draws are what they are called."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from wgan_lip.robustness import Ball


def distances(z: torch.Tensor, x: torch.Tensor, norm: str) -> torch.Tensor:
    return torch.linalg.vector_norm((z.double() - x.double()).flatten(1), math.inf if norm == "linf" else 2, dim=1)


@given(
    eps=st.floats(1e-8, 30),
    norm=st.sampled_from(["linf", "l2"]),
    bounds=st.sampled_from([(0.0, 1.0), (-1.0, 1.0), (0.1, 0.7), (-3.3, 1e3)]),
    dtype=st.sampled_from([torch.float32, torch.float64]),
    shape=st.sampled_from([(5, 1), (4, 784), (3, 3, 4, 4)]),
    seed=st.integers(0, 999),
)
def test_never_outside_of_ball_or_box(eps, norm, bounds, dtype, shape, seed):
    generator = torch.Generator().manual_seed(seed)
    low, high = (torch.tensor(bound, dtype=dtype) for bound in bounds)
    # With pixels at the very edges too.
    x = (low + (high - low) * (3 * torch.rand(shape, generator=generator, dtype=dtype) - 1)).clamp(low, high)
    ball = Ball.around(x, eps, norm, bounds)
    gradient = torch.randn(shape, generator=generator, dtype=dtype)
    far = x + 10 * eps * torch.randn(shape, generator=generator, dtype=dtype)
    points = [ball.uniform(generator), ball.projected(far), ball.step(x, gradient, eps)]
    points += [ball.step(points[0], gradient, 0.3 * eps), ball.step(x, 0 * gradient, eps)]
    for z in points:
        assert z.dtype == dtype
        assert z.shape == x.shape
        assert float(distances(z, x, norm).max()) <= eps
        assert float(z.min()) >= low
        assert float(z.max()) <= high
    assert torch.equal(points[-1], x)


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_little_of_the_radius_is_lost_to_rounding(norm, dtype):
    x = torch.full((3, 784), 0.5, dtype=dtype)
    z = Ball.around(x, 0.25, norm, (0.0, 1.0)).step(x, torch.ones_like(x), 0.25)
    assert float(distances(z, x, norm).min()) >= 0.25 - 100 * torch.finfo(dtype).eps


@pytest.mark.parametrize("dim", [1, 2, 5])
def test_uniform_in_the_ball(dim):
    """A share r^d of a ball of radius 1 lies within r of its centre, in either norm; the mean is the centre."""
    x = torch.full((20_000, dim), 0.5, dtype=torch.float64)
    for norm in ("linf", "l2"):
        delta = Ball.around(x, 0.25, norm, (0.0, 1.0)).uniform(torch.Generator().manual_seed(1)) - x
        shares = (distances(x + delta, x, norm) / 0.25) ** dim
        # Uniform in [0, 1]: Kolmogorov's distance, of which 2 / sqrt(n) is exceeded once in 1,500 times.
        steps = torch.arange(1, len(x) + 1) / len(x)
        assert float((shares.sort().values - steps).abs().max()) < 2 / math.sqrt(len(x))
        assert float(delta.mean(0).abs().max()) < 5 * 0.25 / math.sqrt(len(x))


def test_rows_are_the_balls_of_those_images():
    x = torch.rand(6, 4, generator=torch.Generator().manual_seed(0))
    rows, z = torch.tensor([4, 1]), x + 1
    for norm in ("linf", "l2"):
        ball = Ball.around(x, 0.1, norm, (0.0, 1.0))
        assert torch.equal(ball[rows].projected(z[rows]), ball.projected(z)[rows])


def test_bad_images_are_named():
    for x, message in (
        (torch.tensor([[1.5]]), r"x must lie between the bounds \(0.0, 1.0\)"),
        (torch.tensor([[math.nan]]), "without NaN"),
        (torch.zeros(3, 2, dtype=torch.uint8), "floating-point images; got torch.uint8"),
        (torch.zeros(3), r"of shape \(3,\)"),
    ):
        with pytest.raises(ValueError, match=message):
            Ball.around(x, 0.1, "l2", (0.0, 1.0))


@pytest.mark.parametrize("norm", ["l2", "linf"])
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_where_there_is_no_gradient_nothing_moves(norm, bad):
    x = torch.full((2, 3), 0.5)
    ball = Ball.around(x, 0.1, norm, (0.0, 1.0))
    moved = ball.step(x, torch.tensor([[bad, bad, bad], [1.0, bad, 0.0]]), 0.05)
    assert torch.equal(moved[0], x[0])
    assert moved[1, 0] > 0.5
    assert torch.equal(moved[1, 1:], x[1, 1:])

"""Laws that every pair obeys."""

import math

import pytest
import torch

from tests.distributions.cases import KNOWN, PAIRS, UNKNOWN
from wgan_lip.transport import wasserstein1


def stream(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("name", PAIRS)
def test_samples_have_the_shape_and_depend_on_the_generator_only(name: str) -> None:
    pair = PAIRS[name]()
    x, y = pair.sample(10, stream())
    again = PAIRS[name]().sample(10, stream())
    other = torch.cat(pair.sample(10, stream(1)))
    for samples, same in zip((x, y), again, strict=True):
        assert samples.shape == (10, *pair.shape)
        assert samples.dtype == torch.float32
        assert torch.equal(samples, same)
    assert not torch.equal(torch.cat((x, y)), other)
    assert pair.dim == x[0].numel()


@pytest.mark.parametrize("name", PAIRS)
def test_samples_lie_within_the_bounds(name: str) -> None:
    pair = PAIRS[name]()
    if pair.bounds is None:
        assert "Gaussians" in name or name in UNKNOWN
        return
    both = torch.cat(pair.sample(2000, stream()))
    assert float(both.min()) >= pair.bounds[0]
    assert float(both.max()) <= pair.bounds[1]


@pytest.mark.parametrize("name", PAIRS)
def test_the_two_samples_are_independent(name: str) -> None:
    """Distances to a fixed point are uncorrelated, within five standard errors."""
    pair = PAIRS[name]()
    x, y = (samples.double().flatten(1) for samples in pair.sample(4000, stream()))
    a, b = (x - 0.3).norm(dim=1), (y - 0.3).norm(dim=1)
    if a.std() > 1e-6 and b.std() > 1e-6:
        assert abs(float(torch.corrcoef(torch.stack((a, b)))[0, 1])) < 5 / math.sqrt(4000)


@pytest.mark.parametrize("name", KNOWN)
def test_the_plan_has_the_marginals_of_the_samples(name: str) -> None:
    """First and second moments along fixed directions, within five standard errors."""
    pair, n = KNOWN[name](), 4000
    for drawn, coupled in zip(pair.sample(n, stream(1)), pair.sample_plan(n, stream(2)), strict=True):
        directions = torch.randn(pair.dim, 3, generator=stream(3), dtype=torch.float64)
        a, b = (samples.double().flatten(1) @ directions for samples in (drawn, coupled))
        for power in (1, 2):
            p, q = a**power, b**power
            error = ((p.var(0) + q.var(0)) / n).sqrt()
            assert bool(((p.mean(0) - q.mean(0)).abs() <= 5 * error + 1e-6).all())


@pytest.mark.parametrize("name", KNOWN)
def test_the_potential_proves_the_plan_optimal(name: str) -> None:
    """f(x) - f(y) = |x - y| on every couple, and |f(a) - f(b)| <= |a - b| everywhere: duality without a gap."""
    pair = KNOWN[name]()
    x, y = (samples.double() for samples in pair.sample_plan(500, stream()))
    cost = (x - y).flatten(1).norm(dim=1)
    # x and y were rounded to float32, coordinate by coordinate.
    size = float(torch.cat((x, y)).abs().max())
    rounding = 4 * torch.finfo(torch.float32).eps * size * math.sqrt(pair.dim)
    torch.testing.assert_close(pair.potential(x) - pair.potential(y), cost, atol=rounding, rtol=0)
    points = torch.cat((x, y, 3 * torch.randn(500, *pair.shape, generator=stream(1), dtype=torch.float64)))
    values, flat = pair.potential(points), points.flatten(1)
    slopes = (values[:, None] - values).abs() - torch.cdist(flat, flat, compute_mode="donot_use_mm_for_euclid_dist")
    assert float(slopes.max()) <= rounding


@pytest.mark.parametrize("name", KNOWN)
def test_the_truth_is_the_mean_cost_of_the_plan(name: str) -> None:
    pair, n = KNOWN[name](), 20_000 if KNOWN[name]().dim < 1000 else 500
    truth = pair.w1()
    x, y = (samples.double() for samples in pair.sample_plan(n, stream(7)))
    cost = (x - y).flatten(1).norm(dim=1)
    error = math.sqrt(float(cost.var()) / n + truth.standard_error**2)
    assert abs(float(cost.mean()) - truth.value) <= 4 * error + 1e-6
    assert truth.standard_error < 0.01 * truth.value


@pytest.mark.parametrize("name", KNOWN)
def test_the_gradient_is_that_of_the_potential(name: str) -> None:
    pair = KNOWN[name]()
    x = pair.sample(50, stream())[0].double()
    gradient, h = pair.potential_gradient(x), 1e-10
    torch.testing.assert_close(gradient.flatten(1).norm(dim=1), torch.ones(50, dtype=torch.float64))
    for direction in (gradient, torch.randn(x.shape, generator=stream(1), dtype=torch.float64) / math.sqrt(pair.dim)):
        difference = (pair.potential(x + h * direction) - pair.potential(x - h * direction)) / (2 * h)
        expected = (gradient * direction).flatten(1).sum(1)
        # Within h of a kink a difference is no derivative, and many points of P lie beside a centre.
        smooth = (difference - expected).abs() < 1e-3
        assert float(smooth.double().mean()) > 0.9


@pytest.mark.parametrize("name", ["absolute value", "three cones", "shells in 3 dimensions", "funnels in the plane"])
def test_exact_transport_finds_the_coupling_optimal(name: str) -> None:
    """On the couples themselves the plan is optimal: W1 of the two samples is the couples' mean distance."""
    pair = KNOWN[name]()
    x, y = (samples.double() for samples in pair.sample_plan(200, stream()))
    mean = float((x - y).flatten(1).norm(dim=1).mean())
    assert wasserstein1(x, y).value == pytest.approx(mean, abs=1e-5)


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_is_not_known_is_not_answered(name: str) -> None:
    pair = UNKNOWN[name]()
    assert (pair.knows_w1, pair.knows_plan, pair.knows_potential) == (False, False, False)
    kind = type(pair).__name__
    with pytest.raises(ValueError, match=f"the W1 of {kind} is not known"):
        pair.w1()
    with pytest.raises(ValueError, match=f"the optimal plan of {kind} is not known"):
        pair.sample_plan(2, stream())
    for question in (pair.potential, pair.potential_gradient):
        with pytest.raises(ValueError, match=f"the optimal potential of {kind} is not known"):
            question(torch.zeros(1, 2))


@pytest.mark.parametrize("name", KNOWN)
def test_points_of_another_shape_are_named(name: str) -> None:
    pair = KNOWN[name]()
    for question in (pair.potential, pair.potential_gradient):
        with pytest.raises(ValueError, match="x must have shape"):
            question(torch.zeros(3, 2, 2, 2))

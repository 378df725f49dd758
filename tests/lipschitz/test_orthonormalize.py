"""Bjorck's iteration and the polar factor, against the SVD."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from wgan_lip.lipschitz import Bjorck, bjorck_orthonormalize, on_manifold, polar_factor


def svd_polar(weight: torch.Tensor) -> torch.Tensor:
    u, _, vt = torch.linalg.svd(weight.double(), full_matrices=False)
    return u @ vt


@given(
    m=st.integers(1, 40), n=st.integers(1, 40), scale=st.sampled_from([1e-20, 1e-3, 1.0, 1e6]), seed=st.integers(0, 99)
)
def test_polar_factor_is_that_of_the_svd(m, n, scale, seed):
    weight = scale * torch.randn(m, n, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    polar = polar_factor(weight)
    assert on_manifold(polar)
    # The polar factor of an ill-conditioned square matrix is itself ill-conditioned.
    smallest = torch.linalg.svdvals(weight).min() / scale
    torch.testing.assert_close(polar, svd_polar(weight), atol=1e-13 * float(10 / smallest), rtol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_polar_factor_keeps_dtype_and_is_orthogonal_to_its_precision(dtype):
    polar = polar_factor(torch.randn(64, 32).to(dtype))
    assert polar.dtype == dtype
    assert on_manifold(polar)


@pytest.mark.parametrize("order", [1, 2, 3, 4])
@pytest.mark.parametrize("shape", [(60, 100), (100, 60), (1, 30), (30, 1)])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_bjorck_converges_to_the_polar_factor_from_any_scale(order, shape, scale):
    weight = scale * torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(
        bjorck_orthonormalize(weight, order, iterations=30), svd_polar(weight), atol=1e-10, rtol=0
    )


def test_twenty_iterations_suffice_from_a_small_initial_weight():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        weight = torch.nn.Linear(512, 256).weight.detach() / 20
    ours = torch.linalg.svdvals(bjorck_orthonormalize(weight, order=1, iterations=20))
    assert (ours - 1).abs().max() < 1e-5
    # The same iteration from W / sqrt(m n), which the safe scaling replaces.
    naive = weight / (512 * 256) ** 0.5
    for _ in range(20):
        naive = 1.5 * naive - 0.5 * naive @ naive.T @ naive
    assert torch.linalg.svdvals(naive).median() < 0.9


def test_bjorck_gradient_is_that_of_the_polar_factor():
    weight = torch.randn(5, 3, dtype=torch.float64, requires_grad=True)
    direction = torch.randn(5, 3, dtype=torch.float64)
    (bjorck_orthonormalize(weight, 2, 40) * direction).sum().backward()
    ours = weight.grad
    weight.grad = None
    u, _, vt = torch.linalg.svd(weight, full_matrices=False)
    ((u @ vt) * direction).sum().backward()
    torch.testing.assert_close(ours, weight.grad)


@settings(max_examples=5)
@given(order=st.sampled_from([0, 5, -1]))
def test_bjorck_bad_order_is_named(order):
    with pytest.raises(ValueError, match=f"order={order}"):
        Bjorck(order=order)


def test_other_bad_arguments_are_named():
    with pytest.raises(ValueError, match="iterations=0"):
        Bjorck(iterations=0)
    with pytest.raises(ValueError, match=r"must be a matrix; got shape \(2, 3, 4\)"):
        bjorck_orthonormalize(torch.zeros(2, 3, 4))
    with pytest.raises(ValueError, match="matrix"):
        polar_factor(torch.zeros(3))
    with pytest.raises(ValueError, match="NaN or infinity"):
        polar_factor(torch.full((3, 3), float("inf")))


@pytest.mark.parametrize("size", [1e-30, 1e-23, 1e10, 1e30])
def test_sizes_whose_squares_leave_float32(size):
    weight = torch.randn(8, 5)
    for orthogonal in (polar_factor(size * weight), bjorck_orthonormalize(size * weight, 2, 30)):
        torch.testing.assert_close(orthogonal, svd_polar(weight).float(), atol=1e-5, rtol=0)


def test_zero_matrix_has_some_orthogonal_factor():
    assert on_manifold(polar_factor(torch.zeros(3, 4)))

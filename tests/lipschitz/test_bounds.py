"""The rigorous bounds: never below the truth, never far above it."""

import math
from fractions import Fraction

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from wgan_lip.lipschitz import spectral_norm_upper_bound
from wgan_lip.lipschitz.bounds import gamma, product_upper_bound


@given(
    m=st.integers(1, 60),
    n=st.integers(1, 60),
    rank=st.integers(0, 60),
    exponent=st.sampled_from([-300, -160, -20, 0, 20, 160, 300]),
    seed=st.integers(0, 999),
)
def test_bound_encloses_the_largest_singular_value(m, n, rank, exponent, seed):
    generator = torch.Generator().manual_seed(seed)
    weight = (
        torch.randn(m, min(rank, m), generator=generator).double()
        @ torch.randn(min(rank, m), n, generator=generator).double()
    )
    weight = weight * 10.0**exponent
    # Scaled by a power of two, lest the reference itself over- or underflow.
    scale = 2.0 ** math.frexp(max(float(weight.abs().max()), 1e-308))[1]
    truth = float(torch.linalg.svdvals(weight / scale).max()) * scale
    bound = spectral_norm_upper_bound(weight)
    assert bound >= truth * (1 - 1e-14)
    assert bound <= truth * (1 + 1e-12) + 1e-320


def test_bound_against_exact_arithmetic():
    # For [[a, b], [c, d]] the larger eigenvalue of W W^T has a closed form; compare its square exactly.
    for seed in range(200):
        weight = torch.randn(2, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
        a, b, c, d = (Fraction(float(w)) for w in weight.flatten())
        trace, det = a * a + b * b + c * c + d * d, (a * d - b * c) ** 2
        bound_squared = Fraction(spectral_norm_upper_bound(weight)) ** 2
        # t >= lambda_max  <=>  t >= trace / 2 and t^2 - trace t + det >= 0.
        assert 2 * bound_squared >= trace
        assert bound_squared**2 - trace * bound_squared + det >= 0


@pytest.mark.parametrize("size", [200, 500])
def test_bound_of_an_orthogonal_float32_matrix_is_one_to_its_precision(size):
    weight = torch.nn.init.orthogonal_(torch.empty(size, size))
    truth = float(torch.linalg.svdvals(weight.double()).max())
    assert truth <= spectral_norm_upper_bound(weight) <= truth + 1e-9 < 1 + 1e-5


def test_bound_does_not_rest_on_the_eigenvalue_estimate(monkeypatch):
    weight = torch.randn(30, 20, dtype=torch.float64)
    truth = float(torch.linalg.svdvals(weight).max())
    monkeypatch.setattr(torch.linalg, "eigvalsh", lambda gram: torch.zeros(gram.shape[:2], dtype=torch.float64))
    bound = spectral_norm_upper_bound(weight)
    assert truth <= bound <= float(weight.norm()) * (1 + 1e-12)


def test_bound_of_degenerate_matrices():
    assert spectral_norm_upper_bound(torch.zeros(3, 4)) == 0
    assert spectral_norm_upper_bound(torch.zeros(0, 4)) == 0
    assert spectral_norm_upper_bound(torch.full((2, 2), 5e-324, dtype=torch.float64)) >= 1e-323
    assert spectral_norm_upper_bound(torch.full((2, 2), 1.7e308, dtype=torch.float64)) == math.inf


def test_bad_weights_are_errors():
    with pytest.raises(ValueError, match="NaN or infinity"):
        spectral_norm_upper_bound(torch.tensor([[1.0, float("nan")]]))
    with pytest.raises(ValueError, match="must be a matrix"):
        spectral_norm_upper_bound(torch.zeros(2, 2, 2))


@given(st.lists(st.one_of(st.just(0.0), st.floats(1e-10, 1e10)), max_size=8))
def test_product_is_rounded_up(factors):
    exact = Fraction(1)
    for factor in factors:
        exact *= Fraction(factor)
    product = product_upper_bound(factors)
    assert Fraction(product) >= exact
    assert product <= float(exact) * (1 + 1e-14) + 1e-320


def test_a_zero_factor_makes_zero_whatever_overflows():
    assert product_upper_bound([1e200, 1e200, 0.0]) == 0
    assert product_upper_bound([1e200, 1e200]) == math.inf


def test_gamma_is_at_least_the_exact_value():
    for n in (1, 10, 10**6):
        u = Fraction(1, 2**53)
        assert Fraction(gamma(n)) >= n * u / (1 - n * u)

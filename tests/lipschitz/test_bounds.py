"""The rigorous bounds: never below the truth, never far above it."""

import math
from fractions import Fraction

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from wgan_lip.lipschitz import Householder, bounds, certify, spectral_norm_upper_bound
from wgan_lip.lipschitz.bounds import gamma, norm_up, product_upper_bound
from wgan_lip.lipschitz.certificate.rounding import values_and_magnitudes
from wgan_lip.lipschitz.certificate.rules import row_sum_upper_bound


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


def test_products_with_one_are_exact_and_others_the_next_number_up():
    assert product_upper_bound([]) == product_upper_bound([1.0, 1.0]) == 1
    assert product_upper_bound([1.0, 0.3]) == product_upper_bound([0.3, 1.0]) == 0.3
    assert product_upper_bound([2.0, 0.3]) == math.nextafter(0.6, 1)
    assert product_upper_bound([0.3, 2.0, 1.0]) == math.nextafter(0.6, 1)
    # What underflows is still more than nothing.
    assert product_upper_bound([1e-200, 1e-200]) == 5e-324


def test_gamma_is_hardly_more_than_the_exact_value():
    u = Fraction(1, 2**53)
    for n in (1, 2, 10**6, 2**50):
        assert Fraction(gamma(n)) <= n * u / (1 - n * u) * (1 + 8 * u)


@pytest.mark.parametrize("squared", [2.0, 1 / 3, 0.7, 1e-300, 1e300])
@pytest.mark.parametrize("scale", [1.0, 0.25, 2.0**300])
def test_roots_are_rounded_up_by_no_more_than_three_numbers(squared, scale):
    root = norm_up(squared, scale)
    below = root
    for _ in range(3):
        below = math.nextafter(below, 0)
    assert Fraction(below) ** 2 <= Fraction(squared) * Fraction(scale) ** 2 < Fraction(root) ** 2


class Coarse:
    """Every term of the proof, in an arithmetic of ten bits, where none hides behind another; for diagonal matrices."""

    u = 2.0**-10

    def gamma(self, n: int) -> float:
        return n * self.u / (1 - n * self.u) * (1 + 4 * self.u)

    def frobenius(self, values: list[float], length: int) -> float:
        """Of ``len(values) * length`` squares and their sum, a relative error of two at most."""
        return sum(v * v for v in values) * (1 + 2 * self.gamma(len(values) * length + 2))

    def bound(self, values: list[float], length: int, t: float, factor: float = 1.0) -> float:
        """``t + |E|_2 + rounding``, as the docstring has it, t having been enough; the trace of a multiple's."""
        n, squares = len(values), [v * v for v in values]
        trace = sum(t - factor**2 * s for s in squares) * (1 + self.gamma(n))
        cholesky = self.gamma(n + 1) / (1 - self.gamma(n + 1)) * trace
        subtraction = 2 * self.u * (t + max(squares))
        rounding = self.gamma(length + 2) * self.frobenius(values, length)
        return (t + cholesky + subtraction + rounding) * (1 + 8 * self.u)


@pytest.fixture
def coarse(monkeypatch):
    monkeypatch.setattr(bounds, "_U", Coarse.u)
    return Coarse()


def diagonal(values: list[float], length: int) -> torch.Tensor:
    return torch.nn.functional.pad(torch.tensor(values, dtype=torch.float64).diag(), (0, length - len(values)))


@pytest.mark.parametrize("values", [[1.0, 0.5], [1.0, 0.3, 0.9, 0.8, 0.2, 0.7, 0.6, 1.2]])
@pytest.mark.parametrize("extra", [0, 3])
def test_every_term_of_the_proof_counts(values, extra, coarse):
    length = len(values) + extra
    weight = diagonal(values, length)
    largest = max(values) ** 2
    t = largest * (1 + 4 * len(values) * coarse.u)
    expected = coarse.bound(values, length, t)
    assert expected < coarse.frobenius(values, length)
    for stack in (weight[None], weight.mT[None]):
        assert bounds.largest_squared_norm(stack) == pytest.approx(expected, rel=1e-12)
    # Of a stack each term is the largest that one of it has.
    expected = coarse.bound(values, length, t, factor=0.9)
    for stack in ((weight, 0.9 * weight), (0.9 * weight, weight)):
        assert bounds.largest_squared_norm(torch.stack(stack)) == pytest.approx(expected, rel=1e-12)


def test_the_frobenius_norm_is_the_bound_where_that_is_less(coarse):
    for values, length in (([1.5], 4), ([1.5, 0.01], 2)):
        assert bounds.largest_squared_norm(diagonal(values, length)[None]) == coarse.frobenius(values, length)


def test_a_shift_that_is_too_small_is_doubled_until_it_suffices(coarse, monkeypatch):
    values, tried, cholesky = [1.0, 0.3, 0.9, 0.8, 0.2, 0.7, 0.6, 1.2], [], torch.linalg.cholesky_ex
    monkeypatch.setattr(torch.linalg, "eigvalsh", lambda gram: torch.full(gram.shape[:2], -1.0, dtype=torch.float64))
    monkeypatch.setattr(torch.linalg, "cholesky_ex", lambda a: (tried.append(1), cholesky(a))[1])
    found = bounds.largest_squared_norm(diagonal(values, 8)[None])
    # An estimate of -1 has no slack of its own; the shift is (2^k - 1) 4 u |W|_F^2 above it after k failures.
    step = 4 * coarse.u * coarse.frobenius(values, 8)
    failures = next(k for k in range(60) if (2**k - 1) * step - 1 > 1.44)
    assert len(tried) == failures + 1
    expected = coarse.bound(values, 8, (2**failures - 1) * step - 1)
    assert found == pytest.approx(min(expected, coarse.frobenius(values, 8)), rel=1e-12)


def test_a_factorisation_that_never_succeeds_leaves_the_frobenius_norm(monkeypatch):
    weight, tried = torch.randn(5, 7, dtype=torch.float64), []

    def fails(a):
        tried.append(1)
        return torch.return_types.linalg_cholesky_ex((a, torch.tensor([0, 1])))

    monkeypatch.setattr(torch.linalg, "cholesky_ex", fails)
    found = bounds.largest_squared_norm(weight[None])
    assert found == pytest.approx(float(weight.square().sum()), rel=1e-12)
    assert len(tried) == 60


@pytest.mark.parametrize("largest", [0.5, 0.9999, 1.0, 1.5, 3.0, 1e-300, 1.7e308])
def test_weights_are_scaled_exactly_to_entries_between_one_and_two(largest, monkeypatch):
    seen = []
    monkeypatch.setattr(bounds, "largest_squared_norm", lambda w: seen.append(w) or 4.0)
    weight = torch.tensor([[largest, -largest / 3]], dtype=torch.float64)
    bound = spectral_norm_upper_bound(weight)
    (scaled,) = seen
    scale = Fraction(largest) / Fraction(float(scaled[0, 0, 0]))
    assert 1 <= scaled[0, 0, 0] < 2
    assert [Fraction(v) * scale for v in scaled[0, 0].tolist()] == [Fraction(v) for v in weight[0].tolist()]
    assert Fraction(bound) >= 2 * scale if math.isfinite(bound) else largest > 1e308


def test_bad_weights_are_named_with_their_shape():
    with pytest.raises(ValueError, match=r"^weight must be a matrix; got shape \(2, 2, 2\)$"):
        spectral_norm_upper_bound(torch.zeros(2, 2, 2))
    with pytest.raises(ValueError, match=r"^weight of shape \(1, 2\) holds NaN or infinity$"):
        spectral_norm_upper_bound(torch.tensor([[1.0, float("inf")]]))


def test_what_is_proven_is_computed_on_the_cpu_in_float64_wherever_it_lies(monkeypatch):
    asked, to = [], torch.Tensor.to

    def spy(self, *where, **how):
        asked.append(where)
        return to(self, *where, **how)

    monkeypatch.setattr(torch.Tensor, "to", spy)
    spectral_norm_upper_bound(torch.eye(2))
    row_sum_upper_bound(torch.eye(2))
    certify(Householder(4))
    values_and_magnitudes(torch.nn.Identity(), torch.ones(1, 2), 1)
    assert asked == [("cpu", torch.float64)] * 4

"""The constraints that make weights smaller without making them orthogonal: what exactly they do."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from wgan_lip.lipschitz import (
    ConstrainedLinear,
    LInfProjection,
    Parseval,
    SpectralNorm,
    SpectralProjection,
    WeightClipping,
    bjorck_orthonormalize,
    certify,
    orthogonality_error,
    project_,
)
from wgan_lip.lipschitz.constraints.norms import project_rows_l1


@given(
    m=st.integers(1, 6),
    n=st.integers(1, 30),
    scale=st.sampled_from([1e-3, 0.1, 1.0, 100.0]),
    ties=st.booleans(),
    seed=st.integers(0, 99),
)
def test_l1_projection_is_the_nearest_point_of_the_ball(m, n, scale, ties, seed):
    generator = torch.Generator().manual_seed(seed)
    w = scale * torch.randn(m, n, dtype=torch.float64, generator=generator)
    w = (w / scale).round() * scale if ties else w
    p = project_rows_l1(w)
    assert (p.abs().sum(1) <= 1 + 1e-14).all()
    # Variational inequality: (w - p) . (q - p) <= 0 for all q of the ball; its corners +-e_i suffice.
    normal = w - p
    assert (normal.abs().amax(1) <= (normal * p).sum(1) + 1e-12 * scale).all()
    torch.testing.assert_close(project_rows_l1(p), p, atol=1e-14, rtol=0)
    inside = w.abs().sum(1) <= 1
    assert torch.equal(p[inside], w[inside])


@pytest.mark.parametrize("scale", [1e-20, 1.0, 1e4, 1e20])
def test_l1_projection_in_float32(scale):
    w = scale * torch.randn(50, 1000)
    p = project_rows_l1(w)
    assert (p.double().abs().sum(1) <= 1 + 1000 * torch.finfo(torch.float32).eps).all()
    if scale >= 1:
        assert (p.double().abs().sum(1) >= 1 - 1e-3).all()
    assert not project_rows_l1(torch.zeros(2, 3)).any()


def test_l_infinity_layer_is_one_lipschitz_in_l_infinity_only():
    layer = ConstrainedLinear(20, 30, LInfProjection())
    with torch.no_grad():
        layer.weight.zero_()
        layer.weight[:, 0] = 5
    project_(layer)
    x, y = torch.randn(2, 100, 20)
    y[0] = x[0] + torch.eye(20)[0]
    difference = (layer(x) - layer(y)).abs().amax(1)
    assert (difference <= (x - y).abs().amax(1) * (1 + 1e-6)).all()
    assert certify(layer).norm == "linf"
    assert certify(layer).bound == pytest.approx(1)
    assert certify(layer, "l2").bound == pytest.approx(math.sqrt(30))


@pytest.mark.parametrize("shape", [(5, 9), (9, 5), (6, 6)])
def test_parseval_with_one_half_is_a_step_of_bjorck(shape):
    # Bjorck's first step starts from W / s, which is W itself where s = 1.
    weight = torch.linalg.qr(torch.randn(max(shape), min(shape), dtype=torch.float64)).Q
    weight = weight * torch.linspace(0.5, 1, min(shape), dtype=torch.float64)
    weight = weight if shape[0] >= shape[1] else weight.mT
    torch.testing.assert_close(Parseval(0.5).projection(weight), bjorck_orthonormalize(weight, 1, 1))


def test_parseval_converges_near_the_manifold_and_diverges_far_from_it():
    for start, converges in ((0.2, True), (1.9, True), (2.3, False)):
        weight = start * torch.eye(4, 6, dtype=torch.float64)
        for _ in range(12):
            weight = Parseval(0.5).projection(weight)
        assert (orthogonality_error(weight) < 1e-3) is converges


def test_spectral_norm_is_that_of_pytorch_and_misses_what_it_has_not_seen():
    layer = ConstrainedLinear(30, 20, SpectralNorm(iterations=3))
    x = torch.randn(5, 30)
    for _ in range(200):
        layer(x)
    layer.eval()
    assert 1 - 1e-6 <= certify(layer).bound <= 1 + 1e-3
    with torch.no_grad():
        layer.parametrizations.weight.original.copy_(torch.randn(20, 30))
    assert certify(layer).bound > 2
    layer.train()
    bounds = []
    for _ in range(100):
        layer(x)
        bounds.append(certify(layer).bound)
    assert bounds[-1] < 1 + 1e-2 < bounds[0]


def test_spectral_projection_scales_only_what_is_too_large():
    small = 0.1 * torch.eye(3, 4)
    assert torch.equal(SpectralProjection().projection(small), small)
    large = torch.randn(7, 5, dtype=torch.float64) * 10
    projected = SpectralProjection().projection(large)
    torch.testing.assert_close(projected, large / torch.linalg.matrix_norm(large, 2))


def test_clipping():
    layer = ConstrainedLinear(8, 6, WeightClipping(0.1))
    assert layer.weight.abs().max() <= 0.1
    with torch.no_grad():
        layer.weight.fill_(-4)
    project_(layer)
    assert torch.equal(layer.weight, torch.full((6, 8), -0.1))
    assert certify(layer).bound == pytest.approx(0.1 * math.sqrt(48))


def test_bad_arguments_are_named():
    for beta in (0.0, 0.6, float("nan")):
        with pytest.raises(ValueError, match=f"beta={beta}"):
            Parseval(beta)
    for c in (0.0, -1.0, float("inf")):
        with pytest.raises(ValueError, match=f"c={c}"):
            WeightClipping(c)
    with pytest.raises(ValueError, match="iterations=0"):
        SpectralNorm(0)

"""Bounds in the l_inf norm, and that norms do not mix."""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from torch import nn

from wgan_lip.lipschitz import (
    Abs,
    ConstrainedConv2d,
    ConstrainedLinear,
    ConvexResidual,
    GroupSort,
    Householder,
    LInfConv2d,
    LInfLinear,
    LInfNormalization,
    LInfProjection,
    MaxMin,
    NormPool2d,
    OrthogonalConv2d,
    OrthogonalLinear,
    Scale,
    StiefelRetraction,
    Unconstrained,
    WeightClipping,
    certify,
    norm_of,
    project_,
)
from wgan_lip.lipschitz.certificate.rules import row_sum_upper_bound


def jacobian(layer: nn.Module, shape: tuple[int, ...]) -> torch.Tensor:
    """The matrix of an affine layer, in float64."""
    columns = torch.func.jacrev(lambda x: layer(x[None])[0])(torch.zeros(shape, dtype=torch.float64)).detach()
    return columns.reshape(-1, math.prod(shape))


@pytest.mark.parametrize("shape", [(3, 1000), (1, 1), (20, 7)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_row_sums_are_bounded_closely(shape, dtype):
    weight = torch.randn(shape, dtype=dtype)
    exact = max(math.fsum(np.abs(row)) for row in weight.double().numpy())
    assert exact <= row_sum_upper_bound(weight) <= exact * (1 + 1e-12)


@pytest.mark.parametrize("length", [2, 3, 50])
def test_row_sums_are_rounded_up(length):
    for seed in range(30):
        weight = torch.randn(4, length, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
        exact = max(sum(abs(Fraction(v)) for v in row) for row in weight.tolist())
        assert Fraction(row_sum_upper_bound(weight)) >= exact
    # Twice as much as a sum of so many can lose, and a number more.
    one = torch.eye(1, length, dtype=torch.float64)
    assert row_sum_upper_bound(one) <= 1 + (length + 1.5) * 2.0**-52


def test_rows_of_zeros_and_of_nothing():
    assert row_sum_upper_bound(torch.zeros(3, 4)) == 0
    assert row_sum_upper_bound(torch.zeros(3, 0)) == 0
    with pytest.raises(ValueError, match=r"shape \(1, 2\) holds NaN"):
        row_sum_upper_bound(torch.tensor([[1.0, math.nan]]))


CONVOLUTIONS = {
    "zeros": lambda: nn.Conv2d(2, 3, 3, stride=2, padding=1),
    "circular": lambda: nn.Conv2d(2, 3, 3, padding=1, padding_mode="circular"),
    "reflect": lambda: nn.Conv2d(2, 3, 3, padding=1, padding_mode="reflect"),
    "groups": lambda: nn.Conv2d(2, 4, 3, groups=2, dilation=2),
    "orthogonal": lambda: OrthogonalConv2d(2, 4, 3, 1),
    "constrained": lambda: ConstrainedConv2d(2, 4, 4, 2, LInfProjection()),
    "constrained on a torus": lambda: ConstrainedConv2d(2, 4, 4, 2, LInfProjection(), padding_mode="circular"),
}


@pytest.mark.parametrize("build", CONVOLUTIONS.values(), ids=CONVOLUTIONS.keys())
def test_convolutions_against_their_explicit_matrix(build):
    layer = build().double()
    exact = float(jacobian(layer, (2, 8, 8)).abs().sum(1).max())
    bound = certify(layer, "linf").bound
    # Where some output sees the whole kernel, which is so in the middle of the image, nothing is lost.
    assert exact * (1 - 1e-12) <= bound <= exact * (1 + 1e-9)


def test_a_projected_convolution_needs_no_divisor():
    layer = ConstrainedConv2d(3, 8, 4, 2, LInfProjection())
    for _ in range(3):
        with torch.no_grad():
            layer.matrix.weight.add_(torch.randn_like(layer.matrix.weight))
        project_(layer)
        assert layer.divisor == 1
        assert certify(layer).norm == "linf"
        assert certify(layer).bound == pytest.approx(1, abs=1e-5)


def test_a_network_of_projected_layers_is_certified_in_its_norm():
    network = nn.Sequential(
        ConstrainedConv2d(1, 8, 4, 2, LInfProjection()),
        GroupSort(4),
        nn.Flatten(),
        ConstrainedLinear(128, 32, LInfProjection()),
        MaxMin(),
        nn.Dropout(0.5),
        ConstrainedLinear(32, 10, LInfProjection()),
        Scale(3.0),
    )
    certificate = certify(network)
    assert (certificate.norm, certificate.bound) == ("linf", pytest.approx(3, rel=1e-5))
    network.double().eval()
    x, d = torch.rand(2, 300, 1, 8, 8, dtype=torch.float64)
    with torch.no_grad():
        risen = (network(x + d) - network(x)).abs().amax(1)
    assert (risen <= certificate.bound * d.flatten(1).abs().amax(1)).all()


def test_the_bound_is_attained():
    layer = ConstrainedLinear(50, 20, LInfProjection()).double()
    row = int(layer.weight.abs().sum(1).argmax())
    x = layer.weight.detach()[row].sign()
    risen = (layer(x) - layer(0 * x)).detach().abs().max()
    assert float(risen) == pytest.approx(certify(layer).bound, rel=1e-12)


def test_layers_of_different_norms_are_not_chained():
    network = nn.Sequential(ConstrainedLinear(4, 4, LInfProjection()), MaxMin(), OrthogonalLinear(4, 4))
    with pytest.raises(
        ValueError, match=r"layer '0' \(LInfProjection\) in linf and layer '2' \(StiefelRetraction\) in l2"
    ):
        certify(network)
    # In a norm that is named all are bounded as they are.
    assert certify(network, "linf").bound == pytest.approx(
        certify(network[0], "linf").bound * certify(network[2], "linf").bound
    )
    assert certify(network, "l2").norm == "l2"


@pytest.mark.parametrize("layer", [Householder(4), NormPool2d(2), nn.ConvTranspose2d(1, 1, 2)])
def test_a_layer_known_in_l2_only_is_refused_in_l_infinity(layer):
    with pytest.raises(ValueError, match=r"layer '1' \(\w+\): its constant is known in l2 only, not in linf"):
        certify(nn.Sequential(ConstrainedLinear(4, 4, LInfProjection()), layer), "linf")


def test_residual_connections_in_both_norms():
    branch = nn.Linear(6, 6)
    for norm in ("l2", "linf"):
        bound = certify(branch, norm).bound
        assert certify(ConvexResidual(branch, 0.25), norm).bound == pytest.approx(0.75 + 0.25 * bound)


def test_an_unknown_norm_is_named():
    with pytest.raises(ValueError, match="norm must be one of l2, linf; got norm='l1'"):
        certify(Abs(), "l1")


def test_norm_of():
    assert norm_of(OrthogonalLinear(2, 2)) == "l2"
    assert norm_of(nn.Sequential(ConstrainedLinear(2, 2, LInfProjection()), MaxMin())) == "linf"
    assert norm_of(ConstrainedLinear(2, 2, Unconstrained())) is None
    assert norm_of(nn.Linear(2, 2)) is None


def test_layers_of_the_norm_begin_as_selections():
    layer = LInfLinear(7, 12, generator=torch.Generator().manual_seed(0))
    weight = layer.weight.detach()
    largest = weight.abs().max(1)
    torch.testing.assert_close(largest.values, torch.ones(12), atol=1e-2, rtol=0)
    # Different inputs as long as there are any.
    assert sorted(largest.indices[:7].tolist()) == list(range(7))
    assert len(set(largest.indices[7:].tolist())) == 5
    assert not layer.bias.any()
    assert certify(layer).norm == "linf"
    convolution = LInfConv2d(1, 4, 3, 1, generator=torch.Generator().manual_seed(0))
    kernels = convolution.kernel().detach().flatten(1).abs()
    torch.testing.assert_close(kernels.amax(1), torch.ones(4), atol=1e-2, rtol=0)
    torch.testing.assert_close(kernels.sum(1), torch.ones(4))


@pytest.mark.parametrize("constraint", [LInfNormalization, LInfProjection])
@pytest.mark.parametrize(
    "build", [lambda c: LInfLinear(9, 5, constraint=c), lambda c: LInfConv2d(2, 4, 4, 2, constraint=c)]
)
def test_layers_of_the_norm_stay_within_it(build, constraint):
    layer = build(constraint())
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.1)
    x = torch.rand(4, 9) if isinstance(layer, LInfLinear) else torch.rand(4, 2, 8, 8)
    for _ in range(5):
        optimizer.zero_grad()
        layer(x).square().sum().backward()
        optimizer.step()
        project_(layer)
        assert certify(layer).bound <= 1 + 1e-5


@pytest.mark.parametrize("constraint", [WeightClipping(), StiefelRetraction()])
def test_layers_of_the_norm_want_constraints_that_hold_in_it(constraint):
    for build in (
        lambda: LInfLinear(2, 2, constraint=constraint),
        lambda: LInfConv2d(1, 2, 2, 2, constraint=constraint),
    ):
        with pytest.raises(ValueError, match=f"guarantee in l_inf, .* got {type(constraint).__name__}"):
            build()

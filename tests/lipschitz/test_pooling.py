"""Poolings, pixel shuffles and residual connections: explicit matrices, distances, gradients, certificates."""

import pytest
import torch
from torch import nn

from tests.lipschitz.matrices import explicit_matrix
from wgan_lip.lipschitz import (
    ConvexResidual,
    MaxMin,
    NormPool2d,
    OrthogonalConv2d,
    Scale,
    ScaledAvgPool2d,
    certify,
    gradient_norms,
)
from wgan_lip.lipschitz.layers.kernel_convolution import _wrapped


@pytest.mark.parametrize("layer", [ScaledAvgPool2d(2), ScaledAvgPool2d(3), nn.PixelUnshuffle(2), nn.PixelUnshuffle(3)])
def test_linear_ones_have_singular_values_of_one(layer):
    values = torch.linalg.svdvals(explicit_matrix(layer, 2, 6, 6))
    torch.testing.assert_close(values, torch.ones_like(values), rtol=0, atol=1e-12)
    assert certify(layer).bound == 1


def test_pixel_shuffle_is_the_inverse_of_unshuffle_and_certified():
    network = nn.Sequential(nn.PixelUnshuffle(2), nn.PixelShuffle(2))
    x = torch.randn(2, 3, 4, 4)
    assert torch.equal(network(x), x)
    assert certify(network).bound == 1


def test_norm_pooling_is_the_norm_of_each_window():
    x = torch.randn(3, 2, 4, 6, dtype=torch.float64)
    y = NormPool2d(2)(x)
    expected = x[:, :, 2:4, 4:6].flatten(2).norm(dim=2)
    torch.testing.assert_close(y[:, :, 1, 2], expected)
    assert y.shape == (3, 2, 2, 3)
    assert certify(NormPool2d(2)).bound == 1


def test_norm_pooling_preserves_gradient_norm_and_has_one_at_zero():
    flat = nn.Sequential(NormPool2d(4), nn.Flatten())
    x = torch.randn(5, 1, 4, 4, dtype=torch.float64)
    torch.testing.assert_close(gradient_norms(flat, x), torch.ones(5, dtype=torch.float64))
    assert torch.equal(gradient_norms(flat, torch.zeros(2, 1, 4, 4)), torch.zeros(2))


def test_distances_never_grow():
    generator = torch.Generator().manual_seed(0)
    x, y = (torch.randn(200, 2, 4, 4, dtype=torch.float64, generator=generator) for _ in range(2))
    for layer in (NormPool2d(2), ScaledAvgPool2d(2), ConvexResidual(nn.Sequential(OrthogonalConv2d(2, 2), MaxMin()))):
        layer = layer.double()
        far = (layer(x) - layer(y)).flatten(1).norm(dim=1)
        assert bool((far <= (x - y).flatten(1).norm(dim=1) * certify(layer).bound * (1 + 1e-12)).all())


@pytest.mark.parametrize(
    ("weight", "slope", "bound"), [(0.5, 1.0, 1.0), (0.25, 1.0, 1.0), (0.25, 3.0, 1.5), (0.9, 0.5, 0.55)]
)
def test_a_residual_connection_has_the_bound_of_its_parts(weight, slope, bound):
    layer = ConvexResidual(Scale(slope), weight)
    x = torch.tensor([[2.0, -1.0]])
    torch.testing.assert_close(layer(x), bound * x)
    assert bound <= certify(layer).bound <= bound * (1 + 1e-14)


def test_bad_input_is_named():
    for make, message in (
        (lambda: NormPool2d(0), "NormPool2d needs size >= 1; got size=0"),
        (lambda: ScaledAvgPool2d(2)(torch.zeros(1, 1, 3, 4)), r"divisible by size=2; got \(1, 1, 3, 4\)"),
        (lambda: ConvexResidual(nn.Identity(), 1.0), "weight must lie between 0 and 1; got weight=1.0"),
        (lambda: ConvexResidual(nn.Linear(2, 3))(torch.zeros(1, 2)), r"keeps the shape; got \(1, 3\) for \(1, 2\)"),
        (lambda: certify(ConvexResidual(nn.Softplus())), "cannot certify the network .ConvexResidual.: .*Softplus"),
    ):
        with pytest.raises(ValueError, match=message):
            make()


@pytest.mark.parametrize("margins", [(1, 1), (1, 2), (0, 1), (0, 0), (4, 4)])
def test_wrapping_is_pytorchs_and_so_is_its_gradient(margins):
    x = torch.randn(2, 3, 4, 5, dtype=torch.float64, requires_grad=True)
    before, after = margins
    padded = nn.functional.pad(x, (before, after, before, after), "circular")
    y = torch.randn_like(padded)
    assert torch.equal(_wrapped(x, *margins), padded)
    (ours,), (theirs,) = (torch.autograd.grad((z * y).sum(), x) for z in (_wrapped(x, *margins), padded))
    torch.testing.assert_close(ours, theirs)

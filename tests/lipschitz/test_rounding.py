"""What rounding may do to a network's values: the formula, and the magnitudes that go into it."""

import math

import pytest
import torch
from torch import nn

from wgan_lip.lipschitz import ConvexResidual, Scale, certify
from wgan_lip.lipschitz.certificate.certify import LayerBound, LipschitzCertificate
from wgan_lip.lipschitz.certificate.rounding import Magnitudes, rounding_of_values, values_and_magnitudes


@pytest.mark.parametrize(
    ("bounds", "units"),
    [([0.5], 1), ([1.0, 3.0, 0.25], (1 * 3 + 3) * 0.25 + 1), ([1.5, 2.0], 1.5 * 2 + 2), ([3, 0], 1)],
)
@pytest.mark.parametrize("width", [1, 2, 784])
def test_each_layers_error_is_carried_through_those_after_it(bounds, units, width):
    layers = tuple(LayerBound("", "Linear", bound, max(1.0, bound)) for bound in bounds)
    certificate = LipschitzCertificate(1.0, "l2", layers)
    u = 2.0**-53
    each = (width + 2) * u / (1 - (width + 2) * u) * (math.sqrt(width) + 2) * 7.0
    assert certificate.rounding == units
    assert units * each <= rounding_of_values(certificate, Magnitudes(7.0, width)) <= units * each * (1 + 2e-6)


def test_numbers_that_underflow_leave_an_error_too():
    certificate = LipschitzCertificate(1.0, "l2", (LayerBound("", "Linear", 1.0, 1.0),))
    assert rounding_of_values(certificate, Magnitudes(0.0, 4)) >= 4**1.5 * 2.0**-511


@pytest.mark.parametrize("weight", [0.25, 0.5, -1.0, 1.5])
def test_roundings_inside_a_branch_are_carried_through_the_rest_of_it(weight):
    inner, outer = Scale(0.5), Scale(8.0)
    connection = ConvexResidual(nn.Sequential(inner, nn.Sequential(outer)), 0.5)
    connection.weight = weight
    branch = 1 * 8 + 8
    (layer,) = certify(connection).layers
    assert layer.rounding == abs(weight) * branch + 2 * (abs(1 - weight) + abs(weight))
    nested = ConvexResidual(nn.Sequential(connection, nn.ReLU()), 0.5)
    assert certify(nested).rounding == 0.5 * (layer.rounding + 1) + 2
    assert certify(nn.Sequential(connection, Scale(3.0))).rounding == layer.rounding * 3 + 3


def doubling(features: int) -> nn.Linear:
    layer = nn.Linear(features, features, bias=False).double()
    with torch.no_grad():
        layer.weight.copy_(2 * torch.eye(features))
    return layer.requires_grad_(True)


@pytest.mark.parametrize("chunk", [1, 2, 3, 100])
def test_the_largest_sample_of_any_layer_and_the_widest_count(chunk):
    x = torch.tensor([[3.0, 4.0], [0.0, 0.0], [0.0, 1.0]])
    narrowing = nn.Linear(2, 1, bias=False).double()
    with torch.no_grad():
        narrowing.weight.copy_(torch.tensor([[0.1, 0.0]]))
    network = nn.Sequential(doubling(2), narrowing)
    values, magnitudes = values_and_magnitudes(network, x, chunk)
    assert values.dtype == torch.float64
    assert not values.requires_grad
    torch.testing.assert_close(values, torch.tensor([[0.6], [0.0], [0.0]], dtype=torch.float64))
    assert magnitudes == Magnitudes(10.0, 2)
    # What was hooked is so no more, also after an error.
    assert not any(module._forward_hooks for module in network.modules())
    with pytest.raises(RuntimeError, match="shapes"):
        values_and_magnitudes(network, torch.zeros(3, 5), chunk)
    assert not any(module._forward_hooks for module in network.modules())


def test_the_samples_themselves_count_and_so_do_axes_after_the_first():
    x = torch.ones(2, 3, 3)
    shrinking = nn.Sequential(nn.Flatten(), nn.Linear(9, 2, bias=False).double())
    with torch.no_grad():
        shrinking[1].weight.fill_(1e-3)
    assert values_and_magnitudes(shrinking, x, 1)[1] == Magnitudes(3.0, 9)


def test_small_numbers_are_no_larger_than_they_are():
    identity = nn.Identity()
    assert values_and_magnitudes(identity, torch.tensor([[0.25]]), 1)[1] == Magnitudes(0.25, 1)
    assert values_and_magnitudes(identity, torch.zeros(0, 3), 1)[1] == Magnitudes(0.0, 3)


def test_a_value_a_sample_is_one_coordinate():
    values, magnitudes = values_and_magnitudes(nn.Flatten(0), torch.tensor([[0.5], [-2.0], [1.0]]), 2)
    assert values.tolist() == [0.5, -2, 1]
    assert magnitudes == Magnitudes(2.0, 1)


def test_a_nan_of_a_layer_in_the_middle_is_infinitely_large():
    network = nn.Sequential(nn.Hardshrink(math.nan), nn.Identity(), nn.ReLU())
    network[1].register_forward_hook(lambda module, args, output: output + math.nan)
    assert values_and_magnitudes(network, torch.ones(2, 3), 2)[1] == Magnitudes(math.inf, 3)

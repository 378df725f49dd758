"""A printed network tells what its layers were made with."""

import pytest
import torch
from torch import nn

from wgan_lip.lipschitz import (
    Cayley,
    ConvexResidual,
    FullSort,
    GroupSort,
    Householder,
    MaxMin,
    Maxout,
    NormPool2d,
    OrthogonalConv2d,
    OrthogonalLinear,
    Scale,
    StiefelRetraction,
    on_manifold,
    project_,
)


@pytest.mark.parametrize(
    ("layer", "printed"),
    [
        (MaxMin(), "MaxMin(group_size=2, dim=1)"),
        (GroupSort(4, dim=-1), "GroupSort(group_size=4, dim=-1)"),
        (FullSort(), "FullSort(dim=1)"),
        (Maxout(2), "Maxout(group_size=2, dim=1)"),
        (Householder(6), "Householder(channels=6, dim=1)"),
        (NormPool2d(3), "NormPool2d(size=3)"),
        (Scale(2), "Scale(factor=2.0)"),
    ],
)
def test_layers_without_parts_are_printed_as_they_are_made(layer, printed):
    assert repr(layer) == printed


def test_layers_with_parts_print_them():
    assert repr(ConvexResidual(nn.ReLU(), 0.25)).splitlines()[:2] == ["ConvexResidual(", "  weight=0.25"]
    printed = repr(OrthogonalConv2d(2, 4, 3, 1))
    assert "2, 4, kernel_size=3, stride=1, padding_mode='circular', bias=True" in printed
    # Its kernel is made of matrices under a constraint.
    assert "ConstrainedMatrix(4, 2, StiefelRetraction)" in printed
    assert "in_features=3, out_features=5" in repr(OrthogonalLinear(3, 5, constraint=Cayley()))


def test_a_retraction_makes_any_weight_orthogonal_whether_its_optimiser_would_or_not():
    layer = nn.Linear(4, 4)
    layer.constraint = StiefelRetraction()
    assert not on_manifold(layer.weight)
    project_(layer)
    torch.testing.assert_close(layer.weight @ layer.weight.T, torch.eye(4), atol=1e-5, rtol=0)

"""Layers whose weights or attributes were replaced: bounded as what they have become, or refused."""

import math

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize

from wgan_lip.lipschitz import (
    ConstrainedConv2d,
    ConvexResidual,
    Householder,
    NormPool2d,
    OrthogonalConv2d,
    OrthogonalLinear,
    Scale,
    StiefelRetraction,
    certify,
)
from wgan_lip.lipschitz.layers.kernel_convolution import KernelConv2d


def replaced(layer: nn.Module, **values: object) -> nn.Module:
    """A layer of which parameters or attributes are others."""
    for name, value in values.items():
        setattr(layer, name, nn.Parameter(value) if isinstance(value, torch.Tensor) else value)
    return layer


class GivenKernel(KernelConv2d):
    """A convolution with a given kernel, whatever its sizes say."""

    def __init__(self, given: torch.Tensor, **sizes: object) -> None:
        super().__init__(**{"in_channels": 1, "out_channels": 1, "stride": 1, "bias": False, **sizes})
        self.given = nn.Parameter(given)

    def kernel(self) -> torch.Tensor:
        return self.given


class Noise(nn.Module):
    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        return weight * (1 + torch.rand(()))


def noisy(layer: nn.Module, matrix: nn.Module) -> nn.Module:
    parametrize.register_parametrization(matrix, "weight", Noise(), unsafe=True)
    return layer


class Doubling(NormPool2d):
    """Looks like a pooling, and doubles its inputs where it is to check them."""

    def _check(self, x: torch.Tensor) -> None:
        super()._check(x)
        x *= 2


def without_bases(layer: nn.Module, kept: int = 0) -> nn.Module:
    layer.matrices.bases = layer.matrices.bases[:kept]
    return layer


def constrained(kernel_size: int) -> ConstrainedConv2d:
    return ConstrainedConv2d(1, 1, kernel_size, 1, StiefelRetraction(), padding_mode="circular")


def smaller(layer: ConstrainedConv2d) -> nn.Module:
    replaced(layer.matrix, weight=torch.ones(1, 1))
    return replaced(layer, kernel_size=1)


ones, eye = torch.ones, torch.eye
REFUSED = {
    "circular-weight-smaller": (
        replaced(nn.Conv2d(1, 1, 3, padding=1, padding_mode="circular"), weight=ones(1, 1, 1, 1)),
        "circular padding of 2 in total repeats outputs of a kernel of size 1",
    ),
    "circular-weight-flatter": (
        replaced(nn.Conv2d(1, 1, 3, padding="same", padding_mode="circular"), weight=ones(1, 1, 1, 3)),
        "circular padding of 2 in total repeats outputs of a kernel of size 1",
    ),
    "kernel-smaller": (
        GivenKernel(ones(1, 1, 1, 1), kernel_size=3, padding_mode="circular"),
        "its padding (1, 1) does not fit its kernel of 1 x 1 with stride 1",
    ),
    "kernel-flatter": (
        GivenKernel(ones(1, 1, 3, 1), kernel_size=3, padding_mode="circular"),
        "its padding (1, 1) does not fit its kernel of 3 x 1 with stride 1",
    ),
    "kernel-of-three-axes": (
        GivenKernel(ones(1, 3, 3), kernel_size=3, padding_mode="zeros"),
        "its kernel must have 4 axes; got shape (1, 3, 3)",
    ),
    "constrained-smaller": (
        smaller(constrained(3)),
        "its padding (1, 1) does not fit its kernel of 1 x 1 with stride 1",
    ),
    "negative-padding": (replaced(constrained(3), padding=(-1, 3)), "its padding (-1, 3) does not fit its kernel"),
    "other-stride": (
        replaced(OrthogonalConv2d(1, 4, 4, 2), stride=1),
        "does not fit its kernel of 4 x 4 with stride 1",
    ),
    "without-bases": (
        without_bases(OrthogonalConv2d(2, 2)),
        "its padding (1, 1) does not fit its kernel of 1 x 1 with stride 1",
    ),
    "with-half-of-the-bases": (
        without_bases(OrthogonalConv2d(2, 2, 5), 4),
        "its padding (2, 2) does not fit its kernel of 3 x 3 with stride 1",
    ),
    "a-bias-for-each-sample": (
        replaced(nn.Linear(2, 2), bias=ones(5, 2)),
        "its bias must have 1 axes; got shape (5, 2)",
    ),
    "a-longer-bias": (
        replaced(nn.Linear(2, 1), bias=ones(4)),
        "its bias must have one entry for each channel; got 4 for channels=1",
    ),
    "a-longer-bias-of-an-image": (
        replaced(OrthogonalConv2d(1, 1), bias=ones(4)),
        "its bias must have one entry for each channel; got 4 for channels=1",
    ),
    "a-bias-for-each-row": (
        replaced(OrthogonalConv2d(1, 1), bias=ones(3, 4)),
        "its bias must have 1 axes; got shape (3, 4)",
    ),
    "a-bias-of-a-grouped-convolution": (
        replaced(nn.ConvTranspose2d(4, 4, 3, groups=2), bias=ones(2)),
        "its bias must have one entry for each channel; got 2 for channels=4",
    ),
    "a-weight-that-is-a-vector": (
        replaced(nn.Linear(3, 3), weight=ones(3)),
        "its weight must have 2 axes; got shape (3,)",
    ),
    "groups-that-do-not-divide": (
        replaced(nn.Conv2d(4, 4, 1, groups=2), groups=3),
        "its weight of shape (4, 2, 1, 1) cannot be split into groups=3",
    ),
    "no-groups": (replaced(nn.Conv2d(4, 4, 1), groups=0), "cannot be split into groups=0"),
    "angles-with-two-axes": (
        replaced(Householder(2), theta=ones(1, 3)),
        "its theta must have 1 axes; got shape (1, 3)",
    ),
    "a-factor-for-each-sample": (replaced(Scale(2.0), factor=ones(4, 1)), "its factor must be a real number"),
    "a-factor-with-axes": (replaced(Scale(2.0), factor=ones(1, 1, 1, 1)), "its factor must be a real number"),
    "a-complex-factor": (replaced(Scale(2.0), factor=2j), "its factor must be a real number; got 2j"),
    "a-slope-with-axes": (replaced(nn.LeakyReLU(), negative_slope=ones(2)), "its negative_slope must be a real number"),
    "a-weight-of-a-residual-with-axes": (
        replaced(ConvexResidual(nn.Identity()), weight=ones(3, 1)),
        "its weight must be a real number",
    ),
    "a-complex-bias": (
        replaced(nn.Linear(2, 2), bias=ones(2, dtype=torch.complex64)),
        "its bias is not a dense tensor of floating-point numbers",
    ),
    "a-sparse-weight": (replaced(nn.Linear(2, 2), weight=eye(2).to_sparse()), ""),
    "a-meta-weight": (nn.Linear(2, 2, device="meta"), ""),
    "a-noisy-base": ((noisy(layer := OrthogonalConv2d(2, 2), layer.matrices.bases[1])), "its kernel is not the same"),
    "a-noisy-matrix": ((noisy(layer := constrained(3), layer.matrix)), "its kernel is not the same each time"),
    "a-check-that-changes-x": (Doubling(2), "its forward is not that of NormPool2d"),
    "a-stride-that-is-none": (replaced(nn.Conv2d(1, 1, 3), stride="2"), ""),
}


@pytest.mark.parametrize(("layer", "why"), REFUSED.values(), ids=list(REFUSED))
def test_what_would_compute_something_else_is_refused(layer, why):
    with pytest.raises(ValueError, match=r"^cannot certify the network \(") as error:
        certify(layer.eval())
    assert why in str(error.value)


@pytest.mark.parametrize("axes", [0, 1])
def test_each_of_these_would_break_a_bound_of_one(axes):
    """The forward passes that are refused do what they are refused for: outputs are repeated."""
    layer = REFUSED[("circular-weight-smaller", "kernel-smaller")[axes]][0]
    x, y = torch.zeros(1, 1, 2, 2), torch.ones(1, 1, 2, 2)
    with torch.no_grad():
        # Its bias is drawn when this file is imported, and rounds the outputs.
        assert float((layer(y) - layer(x)).norm()) == pytest.approx(2 * float((y - x).norm()), rel=1e-6)


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (replaced(nn.Linear(3, 3), weight=torch.tensor([[3.0, 4.0]]), bias=ones(1)), (2,)),
        (replaced(nn.Conv2d(1, 1, 1, padding=1), weight=torch.full((1, 1, 3, 3), 0.5)), (1, 4, 4)),
        (replaced(nn.Conv2d(1, 1, 3, padding=1, padding_mode="circular"), weight=ones(1, 1, 5, 5)), (1, 4, 4)),
        (replaced(nn.Conv2d(4, 4, 1), weight=ones(2, 2, 1, 1), groups=2, bias=None), (4, 2, 2)),
        (replaced(nn.ConvTranspose2d(2, 2, 2), weight=ones(2, 1, 3, 3), stride=2, bias=None), (2, 2, 2)),
        (GivenKernel(ones(2, 1, 3, 3), kernel_size=3, padding_mode="zeros"), (1, 4, 4)),
        (replaced(Scale(2.0), factor=torch.tensor(-3.0)), (2,)),
        (replaced(ConvexResidual(Scale(-2.0)), weight=torch.tensor(0.75)), (2,)),
        (replaced(nn.Linear(2, 2), weight=5 * eye(2), bias=None), (2,)),
        (without_bases(OrthogonalConv2d(2, 2, padding_mode="circular"), 4), (2, 4, 4)),
    ],
)
def test_what_replaced_them_is_what_is_bounded(layer, shape):
    layer = layer.double()
    jacobian = torch.autograd.functional.jacobian(layer, torch.randn(1, *shape, dtype=torch.float64))
    inputs = math.prod(shape)
    norm = float(torch.linalg.matrix_norm(jacobian.reshape(-1, inputs), 2))
    assert norm <= certify(layer).bound * (1 + 1e-12)


def test_a_weight_of_another_precision_is_bounded_as_it_is():
    for dtype in (torch.float16, torch.bfloat16, torch.float64):
        layer = replaced(OrthogonalLinear(2, 1), weight=torch.tensor([[3.0, 4.0]]).to(dtype), bias=None)
        assert certify(layer).bound == pytest.approx(5, rel=1e-12)

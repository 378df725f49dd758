"""The bound of a convolution: against its explicit matrix, its symbol, and cases known in closed form."""

import math

import pytest
import torch
from torch import nn

from wgan_lip.lipschitz import certify
from wgan_lip.lipschitz.certificate import convolution as convolution_module
from wgan_lip.lipschitz.certificate.convolution import convolution_upper_bound

# in, out, kernel, stride, padding, dilation, groups
CASES = [
    (1, 1, (1, 1), 1, 0, 1, 1),
    (2, 3, (3, 3), 1, 1, 1, 1),
    (3, 2, (3, 3), 2, 1, 1, 1),
    (2, 8, (4, 4), 2, 1, 1, 1),
    (3, 3, (2, 5), (2, 3), (0, 2), 1, 1),
    (2, 2, (3, 3), 1, 2, 2, 1),
    (2, 3, (3, 2), 2, 3, 3, 1),
    (4, 6, (3, 3), 1, 1, 1, 2),
    (2, 2, (2, 2), 3, 0, 1, 1),
    (5, 1, (1, 3), 1, 0, 1, 1),
]


def convolution(case, kind=nn.Conv2d, **options) -> nn.Module:
    in_, out, kernel, stride, padding, dilation, groups = case
    layer = kind(in_, out, kernel, stride, padding, dilation=dilation, groups=groups, bias=False, **options).double()
    generator = torch.Generator().manual_seed(hash(case) % 1000)
    with torch.no_grad():
        layer.weight.normal_(generator=generator)
    return layer


def matrix_norm(layer: nn.Module, size: int) -> float:
    """Of the matrix of the layer on images of ``size`` x ``size``, column by column."""
    n = layer.in_channels * size * size
    columns = layer(torch.eye(n, dtype=torch.float64).view(n, layer.in_channels, size, size))
    return float(torch.linalg.matrix_norm(columns.detach().flatten(1), 2))


@pytest.mark.parametrize("kind", [nn.Conv2d, nn.ConvTranspose2d])
@pytest.mark.parametrize("case", CASES)
def test_never_below_the_matrix_and_near_it_on_larger_images(kind, case):
    layer = convolution(case, kind)
    bound = certify(layer).bound
    norms = [matrix_norm(layer, size) for size in (6, 9, 14)]
    assert max(norms) <= bound * (1 + 1e-12)
    # The matrix of a larger image contains that of a smaller one (padding aside), and tends to the bound.
    assert norms[-1] >= 0.8 * bound


@pytest.mark.parametrize("case", [case for case in CASES if case[3] == 1])
@pytest.mark.parametrize("size", [6, 9])
def test_circular_padding_stays_below_its_bound(case, size):
    in_, out, kernel, _, _, dilation, groups = case
    padding = tuple(dilation * (k - 1) // 2 for k in kernel)
    layer = convolution((in_, out, kernel, 1, padding, dilation, groups), padding_mode="circular")
    assert matrix_norm(layer, size) <= certify(layer).bound * (1 + 1e-12)


@pytest.mark.parametrize("case", CASES)
def test_within_one_percent_of_the_largest_symbol(case):
    """The symbol on a fine grid, by an FFT of what a delta at each phase of the stride becomes: another way."""
    layer = convolution(case)
    for part in layer.weight.detach().chunk(layer.groups):
        (s1, s2), (d1, d2), n = layer.stride, layer.dilation, 60
        embedded = torch.zeros(*part.shape[:2], n * s1, n * s2, dtype=torch.float64)
        embedded[:, :, : d1 * part.shape[2] : d1, : d2 * part.shape[3] : d2] = part
        phases = embedded.view(*part.shape[:2], n, s1, n, s2).permute(0, 1, 3, 5, 2, 4).flatten(1, 3)
        true = float(torch.linalg.matrix_norm(torch.fft.fft2(phases).permute(2, 3, 0, 1), 2).max())
        bound = convolution_upper_bound(part, layer.stride, layer.dilation)
        assert true <= bound * (1 + 1e-12)
        assert bound <= 1.01 * true


@pytest.mark.parametrize("factor", [1e-200, 1e-30, 1.0, 1e30, 1e150])
def test_closed_forms(factor):
    ones = torch.full((1, 1, 3, 3), factor, dtype=torch.float64)
    # All weights of one sign: the symbol is largest at frequency 0, where it is their sum.
    assert 9 <= convolution_upper_bound(ones, (1, 1), (1, 1)) / factor <= 9 * 1.01
    # Disjoint patches: an ordinary matrix.
    patches = torch.randn(3, 2, 2, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * factor
    expected = float(torch.linalg.matrix_norm(patches.flatten(1) / factor, 2))
    assert convolution_upper_bound(patches, (2, 2), (1, 1)) / factor == pytest.approx(expected, rel=1e-12)


def test_a_reshaped_orthogonal_kernel_is_not_one_lipschitz():
    """4 x 4 with stride 2: each pixel is in four patches, so up to a factor of 2; here it is reached."""
    kernel = torch.full((1, 1, 4, 4), 0.25)
    assert 2 <= convolution_upper_bound(kernel, (2, 2), (1, 1)) <= 2.02


def test_an_orthogonal_convolution_is_proven_so_to_rounding():
    """A shift of each channel, and a rotation of the channels."""
    rotation = torch.linalg.qr(torch.randn(6, 6, dtype=torch.float64))[0]
    kernel = torch.zeros(6, 6, 3, 3, dtype=torch.float64)
    for channel in range(6):
        kernel[:, channel, channel % 3, channel // 3] = rotation[:, channel]
    assert 1 - 1e-14 <= convolution_upper_bound(kernel, (1, 1), (1, 1)) <= 1 + 1e-12


def test_what_would_take_too_long_has_a_looser_bound(monkeypatch):
    kernel = torch.randn(3, 2, 3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    near = convolution_upper_bound(kernel, (1, 1), (1, 1))
    monkeypatch.setattr(convolution_module, "_WORK", 0)
    assert near < convolution_upper_bound(kernel, (1, 1), (1, 1)) <= 5 * near


@pytest.mark.parametrize("size", [6, 7])
def test_circular_padding_to_the_same_size_is_taken(size):
    layer = convolution((2, 3, (2, 4), 1, "same", 1, 1), padding_mode="circular")
    assert matrix_norm(layer, size) <= certify(layer).bound * (1 + 1e-12)


def test_zero_and_what_cannot_be_bounded():
    assert convolution_upper_bound(torch.zeros(2, 2, 3, 3), (1, 1), (1, 1)) == 0
    with pytest.raises(ValueError, match=r"kernel of shape \(1, 1, 1, 1\) holds NaN"):
        convolution_upper_bound(torch.full((1, 1, 1, 1), math.nan), (1, 1), (1, 1))
    for options, message in (
        ({"padding_mode": "reflect"}, "padding_mode='reflect', which repeats pixels"),
        ({"padding_mode": "circular", "stride": 2}, "circular padding with a stride"),
        ({"padding_mode": "circular", "padding": 2}, "circular padding of 4 in total repeats outputs"),
    ):
        with pytest.raises(ValueError, match=message):
            certify(nn.Conv2d(1, 1, 3, **options))

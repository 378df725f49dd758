"""Orthogonal convolutions: their explicit matrices, after training too, with every stride and ratio of channels."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from tests.lipschitz.matrices import explicit_matrix
from wgan_lip.lipschitz import (
    Bjorck,
    Cayley,
    ConstrainedConv2d,
    GroupSort,
    OrthogonalConv2d,
    OrthogonalLinear,
    SpectralProjection,
    Unconstrained,
    WeightClipping,
    block_kernel,
    certify,
    project_,
)
from wgan_lip.optim import StiefelAdam, StiefelMuon

# in, out, kernel, stride; sides of the smaller images
CASES = [
    (1, 1, 3, 1, 4),
    (1, 8, 3, 1, 4),
    (3, 5, 3, 1, 5),
    (5, 3, 4, 1, 4),
    (6, 6, 2, 1, 3),
    (1, 16, 4, 2, 3),
    (4, 4, 4, 2, 3),
    (3, 40, 4, 2, 2),
    (3, 11, 5, 2, 3),
    (2, 9, 3, 3, 2),
    (6, 2, 2, 2, 3),
    (4, 12, 5, 3, 2),
    (3, 3, 1, 1, 3),
    (8, 8, 6, 4, 2),
    (1, 1, 7, 1, 3),
]


def build(case, **options) -> OrthogonalConv2d:
    in_, out, kernel, stride, _ = case
    return OrthogonalConv2d(in_, out, kernel, stride, generator=torch.Generator().manual_seed(sum(case)), **options)


def shape(case) -> tuple[int, int, int]:
    in_, _, _, stride, side = case
    return in_, side * stride, side * stride


@pytest.mark.parametrize("case", CASES)
def test_every_singular_value_is_one_and_so_is_the_certificate(case):
    layer = build(case)
    matrix = explicit_matrix(layer, *shape(case))
    values = torch.linalg.svdvals(matrix)
    assert len(values) == min(matrix.shape)
    assert float((values - 1).abs().max()) < 1e-5
    bound = certify(layer).bound
    assert float(values.max()) <= bound * (1 + 1e-12)
    assert bound <= 1 + 1e-4


@pytest.mark.parametrize("case", CASES)
def test_with_zero_padding_none_is_above_one_and_the_inner_ones_are_one(case):
    layer = build(case, padding_mode="zeros")
    matrix = explicit_matrix(layer, *shape(case))
    values = torch.linalg.svdvals(matrix)
    assert float(values.max()) <= certify(layer).bound * (1 + 1e-12) <= 1 + 1e-4
    if case[2] == case[3]:
        assert float(values.min()) > 1 - 1e-5
    # Impulses far from the edge lose nothing where the layer embeds.
    side = 6 * case[3]
    if case[1] >= case[0] * case[3] ** 2 and case[2] <= 5:
        impulse = torch.zeros(1, case[0], side, side, dtype=torch.float64)
        impulse[0, 0, side // 2, side // 2] = 1
        change = layer(impulse) - layer(torch.zeros_like(impulse))
        assert float(change.detach().norm()) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("optimizer", [StiefelMuon, StiefelAdam])
@pytest.mark.parametrize("case", [(1, 8, 3, 1, 4), (3, 11, 5, 2, 3), (4, 4, 4, 2, 3)])
def test_still_orthogonal_after_training(case, optimizer):
    layer = build(case)
    before = layer.kernel().detach().clone()
    steps = optimizer(layer.parameters(), lr=0.3)
    x = torch.randn(8, *shape(case), generator=torch.Generator().manual_seed(0))
    for _ in range(20):
        steps.zero_grad()
        y = layer(x)
        (y * torch.linspace(-1, 1, y[0].numel()).view(y.shape[1:])).sum().backward()
        steps.step()
        project_(layer)
    assert float((layer.kernel().detach() - before).norm()) > 0.1
    values = torch.linalg.svdvals(explicit_matrix(layer, *shape(case)))
    assert float((values - 1).abs().max()) < 1e-5


@pytest.mark.parametrize("constraint", [Cayley, lambda: Bjorck(order=2, iterations=30)])
def test_other_orthogonal_constraints_serve_too(constraint):
    layer = OrthogonalConv2d(3, 8, 4, 2, constraint=constraint(), generator=torch.Generator().manual_seed(0))
    values = torch.linalg.svdvals(explicit_matrix(layer, 3, 6, 6))
    assert float((values - 1).abs().max()) < 1e-5


def test_the_kernel_is_the_composition_of_its_factors():
    """Convolve with the embedding, each block and the patches in turn, instead of with their product."""
    generator = torch.Generator().manual_seed(0)
    outer = nn.init.orthogonal_(torch.empty(10, 16, dtype=torch.float64), generator=generator)
    bases = [nn.init.orthogonal_(torch.empty(4, 2, dtype=torch.float64), generator=generator) for _ in range(4)]
    x = torch.randn(2, 3, 9, 9, dtype=torch.float64, generator=generator)
    y = torch.cat((x, torch.zeros(2, 1, 9, 9, dtype=torch.float64)), 1)
    for i, u in enumerate(bases):
        p = u @ u.T
        taps = torch.stack((p, torch.eye(4, dtype=torch.float64) - p), -1)
        y = F.conv2d(y, taps[..., None] if i % 2 == 0 else taps[:, :, None])
    y = F.conv2d(y, outer.view(10, 4, 2, 2), stride=2)
    torch.testing.assert_close(F.conv2d(x, block_kernel(outer, bases, 3, 2), stride=2), y, rtol=0, atol=1e-12)


def test_deep_stacks_keep_distances():
    """Three layers that embed, with MaxMin between them, on images that differ in one pixel."""
    network = nn.Sequential(
        OrthogonalConv2d(1, 8, 3),
        GroupSort(2),
        OrthogonalConv2d(8, 32, 4, 2),
        GroupSort(2),
        OrthogonalConv2d(32, 128, 2, 2),
    ).double()
    x = torch.randn(5, 1, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    y = x.clone()
    y[:, :, 3, 4] += 1e-6
    distances = (network(x) - network(y)).flatten(1).norm(dim=1) / 1e-6
    torch.testing.assert_close(distances, torch.ones(5, dtype=torch.float64), rtol=0, atol=1e-4)


@pytest.mark.parametrize(("kernel", "stride", "divisor"), [(3, 1, 3), (4, 2, 2), (5, 2, 3), (2, 2, 1)])
@pytest.mark.parametrize("constraint", [lambda: Bjorck(2, 30), SpectralProjection])
def test_a_reshaped_kernel_is_divided_by_its_correct_bound(kernel, stride, divisor, constraint):
    layer = ConstrainedConv2d(2, 6, kernel, stride, constraint(), generator=torch.Generator().manual_seed(1))
    assert layer.divisor == divisor
    values = torch.linalg.svdvals(explicit_matrix(layer, 2, 6 * stride, 6 * stride))
    assert values.max() <= certify(layer).bound * (1 + 1e-12)
    assert certify(layer).bound <= 1 + 1e-4


def test_the_bound_of_a_reshaped_kernel_is_reached():
    """A matrix with one row of equal entries: images that are constant are multiplied by k / s."""
    layer = ConstrainedConv2d(1, 1, 4, 2, Unconstrained(), padding_mode="circular", bias=False)
    with torch.no_grad():
        layer.matrix.weight.fill_(0.25)
    assert 2 <= certify(layer).bound <= 2.02
    assert float(torch.linalg.svdvals(explicit_matrix(layer, 1, 8, 8)).max()) == pytest.approx(2, abs=1e-12)


def test_constraints_without_a_guarantee_are_not_divided():
    layer = ConstrainedConv2d(2, 4, 4, 2, WeightClipping(0.01))
    assert layer.divisor == 1
    assert float(layer.kernel().detach().abs().max()) <= 0.01


@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (4, 2), (5, 2), (2, 2)])
@pytest.mark.parametrize("mode", ["circular", "zeros"])
def test_forward_is_that_of_pytorch(kernel, stride, mode):
    layer = ConstrainedConv2d(2, 3, kernel, stride, Unconstrained(), padding_mode=mode)
    with torch.no_grad():
        layer.bias.copy_(torch.tensor([1.0, -2.0, 3.0]))
    x = torch.randn(2, 2, 4 * stride, 6 * stride)
    before, after = (kernel - stride) // 2, -(-(kernel - stride) // 2)
    padded = F.pad(x, (before, after, before, after), "circular" if mode == "circular" else "constant")
    torch.testing.assert_close(layer(x), F.conv2d(padded, layer.kernel(), layer.bias, stride))
    assert layer(x).shape == (2, 3, 4, 6)


def test_the_kernel_is_not_made_in_half_precision():
    layer = OrthogonalConv2d(4, 8, 4, 2)
    with torch.autocast("cpu", torch.bfloat16):
        assert layer(torch.randn(1, 4, 8, 8)).dtype == torch.bfloat16
        assert layer.kernel().dtype == torch.float32
        torch.testing.assert_close(layer.kernel(), layer.kernel().detach(), rtol=0, atol=0)
        low = layer.kernel()
    torch.testing.assert_close(low, layer.kernel(), rtol=0, atol=0)


def test_no_bias():
    assert OrthogonalConv2d(2, 2, bias=False).bias is None


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: OrthogonalConv2d(0, 1), "OrthogonalConv2d needs in_channels >= 1; got in_channels=0"),
        (lambda: OrthogonalConv2d(1, 0), "needs out_channels >= 1; got out_channels=0"),
        (
            lambda: OrthogonalConv2d(1, 1, 2, 3),
            "kernel_size >= stride, so that every pixel is used; got kernel_size=2, stride=3",
        ),
        (lambda: OrthogonalConv2d(1, 1, padding_mode="reflect"), "padding_mode must be 'circular' or 'zeros'; got"),
        (lambda: OrthogonalConv2d(2, 2, constraint=WeightClipping()), "WeightClipping, whose guarantee is 'none'"),
        (lambda: OrthogonalConv2d(2, 2)(torch.zeros(1, 3, 4, 4)), r"\(N, 2, H, W\); got \(1, 3, 4, 4\)"),
        (lambda: OrthogonalConv2d(2, 2)(torch.zeros(2, 4, 4)), r"needs images of shape .* got \(2, 4, 4\)"),
        (lambda: OrthogonalConv2d(2, 2, 2, 2)(torch.zeros(1, 2, 4, 5)), r"divisible by stride=2; got \(1, 2, 4, 5\)"),
        (lambda: OrthogonalConv2d(2, 2, 9, 1)(torch.zeros(1, 2, 3, 3)), "circular padding needs sides of at least 4"),
    ],
)
def test_bad_input_is_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_what_changes_the_proof_is_refused():
    layer = OrthogonalConv2d(2, 2)
    layer.padding = (2, 2)
    with pytest.raises(ValueError, match=r"its padding \(2, 2\) does not fit its kernel of 3 x 3 with stride 1"):
        certify(layer)


def test_a_critic_of_convolutions_is_certified():
    critic = nn.Sequential(OrthogonalConv2d(1, 8, 4, 2), GroupSort(2), nn.Flatten(), OrthogonalLinear(8 * 16, 1))
    certificate = certify(critic)
    assert [layer.kind for layer in certificate.layers] == [
        "OrthogonalConv2d",
        "GroupSort",
        "Flatten",
        "OrthogonalLinear",
    ]
    assert math.isclose(certificate.bound, 1, abs_tol=1e-4)

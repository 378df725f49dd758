"""Certified radii against closed forms and against what can really change."""

import math
from fractions import Fraction
from operator import mul

import pytest
import torch
from torch import nn

from wgan_lip.lipschitz import (
    ConstrainedLinear,
    Householder,
    LInfNormalization,
    LInfProjection,
    MaxMin,
    OrthogonalLinear,
    Scale,
    Unconstrained,
    certify,
)
from wgan_lip.lipschitz.certificate.rounding import Magnitudes, rounding_of_values, values_and_magnitudes
from wgan_lip.lipschitz.inspection import float64_copy
from wgan_lip.robustness import BrokenCertificateError, RobustnessCertificate, certify_classifier
from wgan_lip.robustness.certified import check_unbroken, distances, logits_of


def radii_of(network: nn.Module, certificate: RobustnessCertificate, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Logits, and radii less what rounding may have done to the logits."""
    logits, magnitudes = values_and_magnitudes(network, x, 7)
    return logits, certificate.radii(logits, 2 * rounding_of_values(certificate.lipschitz, magnitudes))


def linear(weight: list[list[float]]) -> nn.Linear:
    layer = ConstrainedLinear(len(weight[0]), len(weight), Unconstrained())
    with torch.no_grad():
        layer.weight.copy_(torch.tensor(weight))
    return layer.double()


@pytest.mark.parametrize(("norm", "order"), [("l2", 2), ("linf", 1)])
def test_the_radius_of_a_linear_classifier_is_its_distance_to_the_boundary(norm, order):
    weight = torch.randn(5, 8, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    layer = linear(weight.tolist())
    weight = layer.weight.detach()
    x = torch.randn(40, 8, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    logits = layer(x).detach()
    radii = certify_classifier(layer, 5, norm).radii(logits, 1e-9)
    c = logits.argmax(1)
    for i in range(40):
        # The nearest point of the hyperplane z_c = z_j is away by the gap over the dual norm.
        exact = min(
            float((logits[i, c[i]] - logits[i, j]) / torch.linalg.vector_norm(weight[c[i]] - weight[j], order))
            for j in range(5)
            if j != c[i]
        )
        assert exact - 1e-6 <= float(radii[i]) <= exact


@pytest.mark.parametrize(("norm", "order"), [("l2", 2), ("linf", math.inf)])
def test_the_radius_of_a_linear_classifier_is_tight(norm, order):
    layer = linear([[2.0, 1.0, 0.0], [0.0, -1.0, 1.0]])
    x = torch.tensor([[1.0, 0.5, 0.2]], dtype=torch.float64)
    radius = float(certify_classifier(layer, 2, norm).radii(layer(x).detach(), 1e-9))
    difference = (layer.weight[1] - layer.weight[0]).detach()
    step = difference.sign() if norm == "linf" else difference / difference.norm()
    assert float(torch.linalg.vector_norm(step, order)) == pytest.approx(1)
    assert int(layer(x + (radius - 1e-6) * step).argmax()) == int(layer(x).argmax())
    assert int(layer(x + (radius + 1e-6) * step).argmax()) != int(layer(x).argmax())


def network(norm: str) -> nn.Sequential:
    if norm == "l2":
        layers = [OrthogonalLinear(12, 16), MaxMin(), OrthogonalLinear(16, 4)]
    else:
        layers = [ConstrainedLinear(12, 16, LInfNormalization()), MaxMin(), ConstrainedLinear(16, 4, LInfProjection())]
    return nn.Sequential(*layers, Scale(3.0)).double()


@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_constants_are_those_of_the_last_layer_as_it_is(norm):
    built = network(norm)
    certificate = certify_classifier(built, 4)
    assert certificate.lipschitz.norm == norm
    weight = built[2].weight.detach()
    apart = torch.cdist(weight, weight, p=2 if norm == "l2" else 1)
    torch.testing.assert_close(certificate.constants, 3 * apart, rtol=1e-5, atol=1e-5)
    largest = math.sqrt(2) if norm == "l2" else 2
    assert float(certificate.constants.max()) <= 3 * largest * (1 + 1e-5)
    # All four rows of an orthonormal head differ by sqrt(2).
    if norm == "l2":
        assert float(certificate.constants[0, 1]) == pytest.approx(3 * largest, rel=1e-5)


@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_no_class_changes_within_its_radius(norm):
    built = network(norm)
    generator = torch.Generator().manual_seed(3)
    x = torch.rand(2000, 12, generator=generator, dtype=torch.float64)
    logits = logits_of(built, x)
    radii = certify_classifier(built, 4).radii(logits, 1e-9)
    assert float(radii.min()) >= 0
    step = torch.randn(x.shape, generator=generator, dtype=torch.float64)
    step = step.sign() if norm == "linf" else step / step.norm(dim=1, keepdim=True)
    moved = x + radii[:, None] * (1 - 1e-12) * step
    assert torch.equal(logits_of(built, moved).argmax(1), logits.argmax(1))
    # Radii are not all trivial, and no logit moves faster than its constants say.
    assert float(radii.mean()) > 0.005
    z, w = logits_of(built, x), logits_of(built, x + step)
    constants = certify_classifier(built, 4).constants
    for i in range(4):
        for j in range(4):
            change = ((w[:, i] - w[:, j]) - (z[:, i] - z[:, j])).abs().max()
            assert float(change) <= float(constants[i, j]) + 1e-12


def test_without_a_linear_head_the_norms_own_constant_stands():
    built = nn.Sequential(OrthogonalLinear(6, 4), MaxMin())
    assert float(certify_classifier(built, 4).constants[0, 1]) == pytest.approx(math.sqrt(2), rel=1e-6)
    held = nn.Sequential(ConstrainedLinear(6, 4, LInfProjection()), MaxMin())
    bound = certify(held).bound
    assert float(certify_classifier(held, 4).constants[0, 1]) == pytest.approx(2 * bound, rel=1e-6)


def test_what_the_other_norm_proves_is_used_where_it_is_more():
    built = network("l2")
    own, plain = (certify_classifier(built, 4, norm) for norm in ("l2", "linf"))
    both = certify_classifier(built, 4, "linf", dimension=12)
    assert both.lipschitz == plain.lipschitz
    converted = own.constants * math.sqrt(12)
    torch.testing.assert_close(both.constants, torch.minimum(plain.constants, converted), rtol=1e-9, atol=0)
    assert bool((both.constants < plain.constants).any())
    # And the other way round, |x|_inf <= |x|_2.
    held = network("linf")
    both = certify_classifier(held, 4, "l2", dimension=12)
    assert bool((both.constants <= certify_classifier(held, 4, "linf").constants * (1 + 1e-12)).all())


def test_a_layer_that_only_the_other_norm_knows():
    built = nn.Sequential(OrthogonalLinear(4, 4), Householder(4), OrthogonalLinear(4, 2)).double()
    with pytest.raises(ValueError, match="known in l2 only"):
        certify_classifier(built, 2, "linf")
    certificate = certify_classifier(built, 2, "linf", dimension=4)
    assert certificate.lipschitz.norm == "l2"
    assert float(certificate.constants[0, 1]) == pytest.approx(2 * math.sqrt(2), rel=1e-5)


def test_equal_rows_never_part():
    layer = linear([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    with torch.no_grad():
        layer.bias.copy_(torch.tensor([1.0, 0.0, 0.0]))
    certificate = certify_classifier(layer, 3, "l2")
    radius = certificate.radii(torch.tensor([[2.0, 1.0, 1.0]], dtype=torch.float64), 0.0)
    # Class 1 is never reached; class 2 at a gap of 1 with constant sqrt(2).
    assert float(radius) == pytest.approx(1 / math.sqrt(2), rel=1e-6)


def test_a_draw_is_certified_nowhere():
    certificate = certify_classifier(linear([[1.0, 0.0], [0.0, 1.0]]), 2, "l2")
    logits = torch.tensor([[1.0, 1.0], [1.0, 1.0 + 1e-12]], dtype=torch.float64)
    assert certificate.radii(logits, 1e-9).tolist() == [0.0, 0.0]


def test_what_rounding_does_is_taken_off():
    """Large biases that cancel cost digits: the true logits, in exact fractions, are as near as is allowed for."""
    built = nn.Sequential(OrthogonalLinear(6, 6), OrthogonalLinear(6, 3)).double()
    x = torch.rand(20, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    plain = radii_of(built, certify_classifier(built, 3), x)[1]
    with torch.no_grad():
        built[0].bias.fill_(1e9)
        built[1].bias.sub_(1e9 * built[1].weight.sum(1))
    logits, shifted = radii_of(built, certify_classifier(built, 3), x)
    rows = [[Fraction(v) for v in row] for row in x.tolist()]
    for layer in built:
        weight = [[Fraction(v) for v in row] for row in layer.weight.tolist()]
        bias = [Fraction(v) for v in layer.bias.tolist()]
        rows = [[sum(map(mul, w, row)) + b for w, b in zip(weight, bias, strict=True)] for row in rows]
    error = max(
        abs(Fraction(z) - t) for zs, ts in zip(logits.tolist(), rows, strict=True) for z, t in zip(zs, ts, strict=True)
    )
    certificate = certify_classifier(built, 3)
    allowed = rounding_of_values(certificate.lipschitz, values_and_magnitudes(built, x, 7)[1])
    assert 0 < error <= allowed < 1e-3
    # Of both logits, over sqrt(2), where there was so much.
    taken = (plain - shifted)[shifted > 0]
    assert len(taken) > 5
    torch.testing.assert_close(taken, torch.full_like(taken, 2 * allowed / 2**0.5), rtol=0.1, atol=2 * float(error))


def test_a_nan_among_the_images_takes_everything_off():
    built = OrthogonalLinear(6, 3).double()
    x = torch.rand(4, 6, dtype=torch.float64)
    x[2, 3] = math.nan
    assert values_and_magnitudes(built, x, 2)[1] == Magnitudes(math.inf, 6)
    assert not radii_of(built, certify_classifier(built, 3), x)[1].nan_to_num().any()


def test_tiny_rows_and_large_scales_do_not_underflow():
    built = nn.Sequential(linear([[0.0] * 3] * 3), Scale(1e200)).double()
    with torch.no_grad():
        built[0].weight.copy_(1e-200 * torch.eye(3, dtype=torch.float64))
    for norm, exact in (("l2", math.sqrt(2)), ("linf", 2)):
        assert float(certify_classifier(built, 3, norm).constants[0, 1]) == pytest.approx(exact, rel=1e-6)


def test_a_head_of_zeros_never_changes_its_mind():
    built = nn.Sequential(linear([[1e300, 1e300]] * 2), linear([[0.0, 0.0], [0.0, 0.0]]))
    with torch.no_grad():
        built[0].weight.mul_(1e300)
    with pytest.raises(ValueError, match="NaN or infinity"):
        certify_classifier(built, 2, "l2")
    with torch.no_grad():
        built[0].weight.fill_(1e300)
    assert not certify_classifier(built, 2, "l2").constants.any()


def test_a_broken_certificate_stops():
    radii, before, after = torch.tensor([1.0, 1.0]), torch.tensor([0, 0]), torch.tensor([0, 1])
    check_unbroken(radii, torch.tensor([0.5, 1.0]), before, after)
    with pytest.raises(BrokenCertificateError, match=r"1 of 2 images .* image 1: certified 1.0, moved by 0.9"):
        check_unbroken(radii, torch.tensor([0.5, 0.9], dtype=torch.float64), before, after)


def test_distances():
    x = torch.zeros(1, 1, 2, 2)
    z = torch.tensor([[[[3.0, 0.0], [0.0, 4.0]]]])
    assert distances(x, z, "l2").tolist() == [5.0]
    assert distances(x, z, "linf").tolist() == [4.0]


def test_the_float64_copy_leaves_the_network_alone():
    built = nn.Sequential(OrthogonalLinear(3, 2), nn.Dropout(0.5)).train()
    copied = float64_copy(built)
    assert built.training
    assert not copied.training
    assert built[0].weight.dtype == torch.float32
    assert copied[0].weight.dtype == torch.float64


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: certify_classifier(OrthogonalLinear(3, 2), 1), "classes must be at least 2; got classes=1"),
        (lambda: certify_classifier(OrthogonalLinear(3, 2), 3), "the network has 2 logits, not classes=3"),
        (
            lambda: certify_classifier(OrthogonalLinear(3, 2), 2).radii(torch.zeros(4, 2), 0.0),
            r"logits must be float64 of shape \(N, 2\); got torch.float32",
        ),
        (
            lambda: certify_classifier(OrthogonalLinear(3, 2), 2).radii(torch.zeros(4, 3).double(), 0.0),
            r"logits must be float64 of shape \(N, 2\)",
        ),
        (lambda: certify_classifier(nn.GELU(), 2), "no bound is known"),
        (lambda: certify_classifier(OrthogonalLinear(3, 2), 2, "l1", 3), "norm must be 'linf' or 'l2'; got norm='l1'"),
        (
            lambda: certify_classifier(OrthogonalLinear(3, 2), 2, "l2", 0),
            "dimension must be at least 1; got dimension=0",
        ),
    ],
)
def test_what_is_wrong_is_said(build, message):
    with pytest.raises(ValueError, match=message):
        build()

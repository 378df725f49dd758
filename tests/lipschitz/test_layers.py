"""The invariants of every constrained layer."""

import copy
import math

import pytest
import torch
from torch import nn

from tests.lipschitz.cases import CONSTRAINTS, LAYERS, LayerCase
from wgan_lip.lipschitz import (
    Cayley,
    ConstrainedLinear,
    OrthogonalLinear,
    SpectralNorm,
    Unconstrained,
    certify,
    on_manifold,
    orthogonality_error,
    project_,
)


def train(layer: nn.Module, steps: int, learning_rate: float, seed: int = 0) -> None:
    """Adam on a loss that pulls the weight hard off its set."""
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(layer.parameters(), lr=learning_rate)
    for _ in range(steps):
        x = torch.randn(8, layer.in_features, generator=generator).to(next(layer.parameters()).dtype)
        optimizer.zero_grad()
        (layer(x).square().mean() - layer(x).mean()).backward()
        optimizer.step()
        project_(layer)


def check_guarantee(layer: ConstrainedLinear, tolerance: float) -> None:
    """What the constraint declares, by the singular values or row sums; and the certificate, which must know it too."""
    layer.eval()
    weight = layer.weight.detach().double()
    singular = torch.linalg.svdvals(weight)
    assert singular.max() <= certify(layer, "l2").bound * (1 + 1e-12)
    assert weight.abs().sum(1).max() <= certify(layer, "linf").bound * (1 + 1e-12)
    guarantee = layer.constraint.guarantee
    bound = certify(layer).bound
    if guarantee == "orthogonal":
        assert len(singular) == min(layer.weight.shape)
        assert (singular - 1).abs().max() <= tolerance
    if guarantee in ("orthogonal", "lipschitz"):
        assert bound <= 1 + tolerance
    layer.train()


@pytest.mark.parametrize("case", LAYERS)
def test_guarantee_holds_when_built(case):
    check_guarantee(case.build(), case.tolerance)


@pytest.mark.parametrize("case", LAYERS)
@pytest.mark.parametrize("learning_rate", [1e-3, 1.0])
def test_guarantee_holds_after_optimiser_steps(case, learning_rate):
    layer = case.build()
    before = layer.weight.detach().clone()
    # Long steps make Parseval's iteration diverge to infinity, as it says.
    train(layer, steps=10, learning_rate=min(learning_rate, 0.01) if case.constraint == "parseval" else learning_rate)
    # Of a row of norm 1 with one entry nothing can change.
    fixed = before.shape == (1, 1) or (case.constraint == "l-infinity-normalised" and before.shape[1] == 1)
    assert fixed or not torch.equal(before, layer.weight)
    check_guarantee(layer, case.tolerance)


@pytest.mark.parametrize("constraint", CONSTRAINTS)
def test_guarantee_is_neither_too_bold_nor_too_shy(constraint):
    """After one wild step only what is declared holds, so that "none" and "lipschitz" are no understatements."""
    layer = LayerCase(constraint, "wide", torch.float64).build()
    weight = next(parameter for parameter in layer.parameters() if parameter.ndim == 2)
    with torch.no_grad():
        # Far from orthogonal, and one column large.
        weight.copy_(0.1 * torch.randn(weight.shape, dtype=torch.float64))
        weight[:, 0] += 3
    project_(layer)
    layer.eval()
    singular = torch.linalg.svdvals(layer.weight.detach())
    norm = layer.weight.detach().abs().sum(1).max() if layer.constraint.norm == "linf" else singular.max()
    largest_is_one = bool(norm <= 1 + 1e-6)
    all_are_one = bool(((singular - 1).abs() <= 1e-6).all())
    shown = "orthogonal" if all_are_one else "lipschitz" if largest_is_one else "none"
    assert layer.constraint.guarantee == shown


@pytest.mark.parametrize("case", LAYERS)
def test_no_slope_is_above_the_certificate(case):
    layer = case.build()
    train(layer, steps=3, learning_rate=0.1 if case.guarantee != "none" else 0.01)
    layer.eval()
    layer64 = copy.deepcopy(layer).double()
    x, y = torch.randn(2, 200, layer.in_features, dtype=torch.float64)
    for norm, order in (("l2", 2), ("linf", math.inf)):
        bound = certify(layer, norm).bound
        with torch.no_grad():
            risen, gone = (torch.linalg.vector_norm(d, order, dim=1) for d in (layer64(x) - layer64(y), x - y))
        assert (risen <= (1 + 1e-5) * bound * gone).all()


@pytest.mark.parametrize("case", LAYERS)
def test_state_dict_round_trip(case):
    layer, other = case.build(seed=1), case.build(seed=2)
    train(layer, steps=3, learning_rate=0.1 if case.guarantee != "none" else 0.01)
    other.load_state_dict(layer.state_dict())
    x = torch.randn(5, layer.in_features, dtype=case.dtype)
    assert torch.equal(layer(x), other(x))


def test_same_generator_same_weight():
    weights = [OrthogonalLinear(9, 5, generator=torch.Generator().manual_seed(s)).weight for s in (3, 3, 4)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_uniform_initial_weights_are_those_of_pytorch():
    layer = ConstrainedLinear(400, 300, Unconstrained(), initial="uniform", generator=torch.Generator().manual_seed(0))
    for parameter in layer.parameters():
        # Uniform on [-1/20, 1/20]: within the bounds, and of their variance to 5 standard errors.
        assert 0.95 / 20 < parameter.abs().max() <= 1 / 20
        assert abs(parameter.var() * 1200 - 1) < 5 / parameter.numel() ** 0.5


def test_retraction_survives_steps_that_are_far_too_long():
    layer = OrthogonalLinear(30, 20)
    with torch.no_grad():
        layer.weight.mul_(1e3).add_(torch.randn(20, 30), alpha=1e4)
    project_(layer)
    assert on_manifold(layer.weight)
    with torch.no_grad():
        layer.weight[:] = layer.weight[0]
    project_(layer)
    assert orthogonality_error(layer.weight) < 1e-5


def test_retraction_names_a_diverged_weight():
    layer = OrthogonalLinear(4, 4)
    with torch.no_grad():
        layer.weight[0, 0] = float("nan")
    with pytest.raises(ValueError, match="NaN or infinity"):
        project_(layer)


def test_projecting_a_network_leaves_other_layers_alone():
    network = nn.Sequential(nn.Linear(4, 4), OrthogonalLinear(4, 4, constraint=Cayley()), nn.ReLU())
    before = copy.deepcopy(network.state_dict())
    project_(network)
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match=r"OrthogonalLinear needs .* got in_features=0, out_features=3"):
        OrthogonalLinear(0, 3)
    with pytest.raises(ValueError, match=r"ConstrainedLinear needs .* got in_features=2, out_features=0"):
        ConstrainedLinear(2, 0, Unconstrained())
    with pytest.raises(ValueError, match=r"initial must be .* got initial='zeros'"):
        ConstrainedLinear(2, 2, Unconstrained(), initial="zeros")
    with pytest.raises(ValueError, match="got SpectralNorm, whose guarantee is 'none': use ConstrainedLinear"):
        OrthogonalLinear(2, 2, constraint=SpectralNorm())

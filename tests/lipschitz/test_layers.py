"""The invariants of every orthogonal layer."""

import copy

import pytest
import torch
from torch import nn

from tests.lipschitz.cases import LAYERS
from wgan_lip.lipschitz import Cayley, OrthogonalLinear, certify, on_manifold, orthogonality_error, project_


def train(layer: nn.Module, steps: int, learning_rate: float, seed: int = 0) -> None:
    """Adam on a loss that pulls the weight hard off the manifold."""
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(layer.parameters(), lr=learning_rate)
    for _ in range(steps):
        x = torch.randn(8, layer.in_features, generator=generator).to(next(layer.parameters()).dtype)
        optimizer.zero_grad()
        (layer(x).square().mean() - layer(x).mean()).backward()
        optimizer.step()
        project_(layer)


def check_orthogonal(layer: OrthogonalLinear, tolerance: float) -> None:
    singular = torch.linalg.svdvals(layer.weight.detach().double())
    assert len(singular) == min(layer.weight.shape)
    assert (singular - 1).abs().max() <= tolerance


@pytest.mark.parametrize("case", LAYERS)
def test_orthogonal_when_built(case):
    check_orthogonal(case.build(), case.tolerance)


@pytest.mark.parametrize("case", LAYERS)
@pytest.mark.parametrize("learning_rate", [1e-3, 1.0])
def test_orthogonal_after_optimiser_steps(case, learning_rate):
    layer = case.build()
    before = layer.weight.detach().clone()
    train(layer, steps=20, learning_rate=learning_rate)
    assert before.shape == (1, 1) or not torch.equal(before, layer.weight)
    check_orthogonal(layer, case.tolerance)


@pytest.mark.parametrize("case", LAYERS)
def test_one_lipschitz_and_certified(case):
    layer = case.build()
    train(layer, steps=3, learning_rate=0.1)
    bound = certify(layer).bound
    assert bound <= 1 + 1e-5
    layer64 = copy.deepcopy(layer).double()
    x, y = torch.randn(2, 200, layer.in_features, dtype=torch.float64)
    with torch.no_grad():
        assert ((layer64(x) - layer64(y)).norm(dim=1) <= (1 + 1e-5) * (x - y).norm(dim=1)).all()


@pytest.mark.parametrize("case", LAYERS)
def test_state_dict_round_trip(case):
    layer, other = case.build(seed=1), case.build(seed=2)
    train(layer, steps=3, learning_rate=0.1)
    other.load_state_dict(layer.state_dict())
    x = torch.randn(5, layer.in_features, dtype=case.dtype)
    assert torch.equal(layer(x), other(x))


def test_same_generator_same_weight():
    weights = [OrthogonalLinear(9, 5, generator=torch.Generator().manual_seed(s)).weight for s in (3, 3, 4)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


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


def test_bad_sizes_are_named():
    with pytest.raises(ValueError, match="got in_features=0, out_features=3"):
        OrthogonalLinear(0, 3)

"""Gradient norms, Jacobian norms, and the penalties made of them, against closed forms and explicit Jacobians."""

import copy

import pytest
import torch
from torch import nn

from wgan_lip.lipschitz import (
    GradientPenalty,
    GroupSort,
    MaxMin,
    OrthogonalLinear,
    critic_gradients,
    gradient_norms,
)
from wgan_lip.networks import MLPCritic


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class Quadratic(nn.Module):
    """f(x) = a |x|^2 / 2, whose gradient is a x."""

    def __init__(self, a: float) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.tensor(a, dtype=torch.float64))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.a * x.flatten(1).square().sum(1, keepdim=True) / 2


def mlp(outputs: int, activation: nn.Module) -> nn.Sequential:
    return nn.Sequential(nn.Linear(6, 8), activation, nn.Linear(8, 8), activation, nn.Linear(8, outputs)).double()


@pytest.mark.parametrize("shape", [(7, 5), (4, 3, 2, 2)])
def test_gradient_norms_of_a_quadratic(shape):
    x = torch.randn(shape, dtype=torch.float64)
    norms = gradient_norms(Quadratic(-3.0), x)
    torch.testing.assert_close(critic_gradients(Quadratic(-3.0), x), -3 * x)
    torch.testing.assert_close(norms, 3 * x.flatten(1).norm(dim=1))
    assert not norms.requires_grad
    assert not x.requires_grad


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_gradient_norms_where_no_gradients_are_kept(mode):
    critic, x = MLPCritic((5,), 8, 2), torch.randn(9, 5)
    expected = gradient_norms(critic, x)
    with mode():
        inside = gradient_norms(critic, 1 * x)
    torch.testing.assert_close(inside, expected)
    assert all(parameter.grad is None for parameter in critic.parameters())


def test_gradient_norms_of_a_norm_preserving_critic_are_one():
    critic = MLPCritic((6,), 12, 4, activation=lambda: GroupSort(4)).double()
    norms = gradient_norms(critic, torch.randn(40, 6, dtype=torch.float64))
    # From 6 inputs to 12 channels nothing is lost on the way back but what is not in the row space.
    assert (norms <= 1 + 1e-6).all()
    critic = nn.Sequential(OrthogonalLinear(8, 8), MaxMin(), OrthogonalLinear(8, 8), MaxMin(), OrthogonalLinear(8, 1))
    norms = gradient_norms(critic, torch.randn(40, 8))
    torch.testing.assert_close(norms, torch.ones(40))


@pytest.mark.parametrize("one_sided", [False, True])
@pytest.mark.parametrize("slope", [0.5, 2.0])
def test_gradient_penalty_of_a_linear_critic(one_sided, slope):
    critic = nn.Linear(4, 1).double()
    with torch.no_grad():
        critic.weight.copy_(slope * nn.functional.normalize(critic.weight))
    x, y = torch.randn(2, 10, 4, dtype=torch.float64)
    penalty = GradientPenalty(weight=7.0, one_sided=one_sided)(critic, x, y, generator())
    excess = max(slope - 1, 0) if one_sided else slope - 1
    torch.testing.assert_close(penalty, torch.tensor(7.0 * excess**2, dtype=torch.float64))
    penalty.backward()
    # d/dW 7 (|W| - 1)^2 = 14 (|W| - 1) W / |W|.
    expected = 14 * excess * critic.weight.detach() / slope
    torch.testing.assert_close(critic.weight.grad, expected)


def test_gradient_penalty_is_taken_between_the_samples():
    x, y = torch.zeros(20_000, 1, dtype=torch.float64), 3 * torch.ones(20_000, 1, dtype=torch.float64)
    # |grad f| = |z| for f = z^2 / 2, and E (3 t - 1)^2 = 3 - 3 + 1, with variance 33 / 15 - 1.
    penalty = GradientPenalty(weight=1.0)(Quadratic(1.0), x, y, generator())
    assert abs(float(penalty.detach()) - 1) < 5 * (1.2 / 20_000) ** 0.5
    # E max(0, 3 t - 1)^2 = 8 / 9, with variance 32 / 15 - 64 / 81.
    penalty = GradientPenalty(weight=1.0, one_sided=True)(Quadratic(1.0), x, y, generator())
    assert abs(float(penalty.detach()) - 8 / 9) < 5 * (1.35 / 20_000) ** 0.5


def test_networks_with_several_outputs_are_refused():
    with pytest.raises(ValueError, match=r"one value per sample; got shape \(16, 3\) for 16 samples"):
        GradientPenalty()(mlp(3, MaxMin()), *torch.randn(2, 16, 6, dtype=torch.float64), generator())


@pytest.mark.parametrize("penalty", [GradientPenalty(), GradientPenalty(one_sided=True)])
def test_penalties_depend_on_their_generator_only_and_can_be_trained_down(penalty):
    network = mlp(1, MaxMin())
    with torch.no_grad():
        network[0].weight.mul_(10)
    x, y = torch.randn(2, 16, 6, dtype=torch.float64)
    first = penalty(network, x, y, generator(1))
    with torch.random.fork_rng():
        torch.manual_seed(123)
        state = torch.get_rng_state()
        assert torch.equal(penalty(network, x, y, generator(1)), first)
        assert torch.equal(torch.get_rng_state(), state)
    assert first.shape == ()
    before = copy.deepcopy(network.state_dict())
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    for step in range(30):
        optimizer.zero_grad()
        penalty(network, x, y, generator(step)).backward()
        optimizer.step()
    assert not torch.equal(before["0.weight"], network[0].weight)
    assert penalty(network, x, y, generator(1)) < first / 2


def test_penalty_gradient_is_that_of_finite_differences():
    network, x, y = mlp(1, nn.Tanh()), *torch.randn(2, 5, 6, dtype=torch.float64)
    penalty = GradientPenalty(1.0)
    weight = network[2].weight
    direction = torch.randn_like(weight)
    penalty(network, x, y, generator()).backward()
    slope = float((weight.grad * direction).sum())
    values = []
    for h in (1e-5, -1e-5):
        moved = copy.deepcopy(network)
        with torch.no_grad():
            moved[2].weight.add_(direction, alpha=h)
        values.append(float(penalty(moved, x, y, generator()).detach()))
    assert slope == pytest.approx((values[0] - values[1]) / 2e-5, rel=1e-5)


def test_bad_arguments_are_named():
    for weight in (-1.0, float("nan")):
        with pytest.raises(ValueError, match=f"weight={weight}"):
            GradientPenalty(weight)
    with pytest.raises(ValueError, match=r"x and y of one shape; got \(3, 2\) and \(4, 2\)"):
        GradientPenalty()(nn.Linear(2, 1), torch.zeros(3, 2), torch.zeros(4, 2), generator())

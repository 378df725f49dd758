"""A critic fitted to samples lies between the critic and the exact W1, whatever the samples and the norm."""

import copy
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from wgan_lip.evaluation import FittedCritic, fit_critic, score
from wgan_lip.evaluation.pair_groups import pair_groups
from wgan_lip.lipschitz import ConstrainedLinear, GroupSort, LInfLinear, OrthogonalConv2d, SpectralNorm, certify
from wgan_lip.networks import ConvCritic, MLPCritic
from wgan_lip.transport import Norm, W1Result, wasserstein1


def drawn(n: int = 48, m: int = 48, shape: tuple[int, ...] = (6,), seed: int = 0) -> tuple[Tensor, Tensor]:
    """Samples of two Gaussians that differ in mean and scale."""
    rng = torch.Generator().manual_seed(seed)
    x = torch.randn(n, *shape, generator=rng, dtype=torch.float64)
    return x, 1.5 * torch.randn(m, *shape, generator=rng, dtype=torch.float64) + 0.3


def critic_of(shape: tuple[int, ...] = (6,), seed: int = 0, **arguments: object) -> MLPCritic:
    torch.manual_seed(seed)
    return MLPCritic(shape, **{"width": 32, "depth": 2, **arguments})  # type: ignore[arg-type]


def fitted(critic: nn.Module, x: Tensor, y: Tensor, exact: W1Result | None = None, **arguments: object) -> FittedCritic:
    chosen = {"copies": 2, "steps": 30, "batch_size": 32, **arguments}
    return fit_critic(critic, x, y, exact or wasserstein1(x, y), **chosen)  # type: ignore[arg-type]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("copies", [1, 3])
@pytest.mark.parametrize("trial", range(3))
def test_it_lies_between_the_critic_and_the_exact_value(dtype, copies, trial):
    x, y = (samples.to(dtype) for samples in drawn(n=40 + 8 * trial, m=48, seed=trial))
    critic = critic_of(seed=trial).to(dtype)
    exact = wasserstein1(x, y)
    found = fitted(critic, x, y, exact, copies=copies)
    assert found.critic == score(critic, x, y).estimate()
    assert found.critic < found.fitted <= exact.upper
    assert found.steps == 30 * copies
    assert len(found.members) == copies


def test_it_closes_most_of_the_gap_of_few_samples():
    x, y = drawn(32, 32, (16,))
    exact = wasserstein1(x, y).value
    found = fitted(critic_of((16,), width=64), x, y, copies=4, steps=100)
    assert found.critic < 0.3 * exact
    assert found.fitted > 0.85 * exact


def test_its_value_is_that_of_the_maximum_of_its_members():
    x, y = drawn()
    found = fitted(critic_of(), x, y, copies=3)
    with torch.no_grad():
        fx, fy = (
            torch.cat(
                [
                    one.network(side) / certify(one.network).bound + offset
                    for one, offset in zip(found.members, found.offsets, strict=True)
                ],
                1,
            ).numpy()
            for side in (x, y)
        )
    assert found.fitted == pytest.approx(fx.max(1).mean() - fy.max(1).mean(), rel=1e-12)
    # Each member is the largest somewhere.
    assert set(np.concatenate((fx, fy)).argmax(1)) == {0, 1, 2}
    assert all(certify(one.network).bound <= 1 + 1e-9 for one in found.members)


def test_the_same_seed_gives_the_same_value_and_another_another():
    x, y = drawn()
    exact, critic = wasserstein1(x, y), critic_of()
    values = [
        fitted(critic, x, y, exact, batch_size=8, generator=torch.Generator().manual_seed(seed)) for seed in (3, 3, 4)
    ]
    assert values[0].fitted == values[1].fitted != values[2].fitted
    assert fitted(critic, x, y, exact).fitted == fitted(critic, x, y, exact).fitted


@pytest.mark.parametrize("frozen", [False, True])
def test_the_critic_and_the_samples_are_not_changed(frozen):
    x, y = drawn()
    critic = critic_of().requires_grad_(not frozen).train()
    state, samples = copy.deepcopy(critic.state_dict()), (x.clone(), y.clone())
    torch.manual_seed(5)
    before = torch.get_rng_state()
    found = fitted(critic, x, y)
    assert found.fitted > found.critic
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(value, state[name]) for name, value in critic.state_dict().items())
    assert all(p.requires_grad is not frozen and p.grad is None for p in critic.parameters())
    assert critic.training
    assert torch.equal(x, samples[0])
    assert torch.equal(y, samples[1])


def test_it_works_in_inference_mode():
    x, y = drawn()
    exact, critic = wasserstein1(x, y), critic_of()
    with torch.inference_mode():
        inside = fitted(critic, x.clone(), y.clone(), exact)
    assert inside.fitted == fitted(critic, x, y, exact).fitted


def _linf(shape: tuple[int, ...]) -> nn.Module:
    return MLPCritic(shape, width=32, depth=2, linear=LInfLinear)


def _conv(shape: tuple[int, ...]) -> nn.Module:
    return ConvCritic(shape, channels=[8], hidden=[16], conv=OrthogonalConv2d)


@pytest.mark.parametrize(
    ("build", "shape", "norm"),
    [
        (_conv, (1, 4, 4), "l2"),
        (partial(MLPCritic, width=16, activation=partial(GroupSort, 4)), (1, 4, 4), "l1"),
        (_linf, (5,), "linf"),
        (_linf, (5,), "l2"),
        (partial(MLPCritic, width=16, lipschitz_constant=3.0), (5,), "l2"),
    ],
)
def test_critics_of_images_of_other_norms_and_of_other_constants(build, shape, norm):
    torch.manual_seed(0)
    x, y = drawn(24, 36, shape)
    exact = wasserstein1(x, y, norm=norm)
    found = fitted(build(shape), x, y, exact)
    assert found.critic < found.fitted <= exact.upper


def test_a_critic_bounds_no_w1_in_a_smaller_norm():
    x, y = drawn()
    with pytest.raises(ValueError, match=r"^the critic is certified in the l2 norm, so it bounds no W1 in norm='linf'"):
        fitted(critic_of(), x, y, wasserstein1(x, y, norm="linf"))


class Opaque(nn.Module):
    """Of which nothing is known."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(6, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x)


def _spectral(inputs: int, outputs: int) -> nn.Module:
    return ConstrainedLinear(inputs, outputs, SpectralNorm())


@pytest.mark.parametrize(
    ("critic", "lacks"),
    [
        (Opaque(), "Opaque without a certificate"),
        (nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 1)), "Sequential without such constraints"),
        (MLPCritic((6,), width=8, linear=_spectral), "MLPCritic without such constraints"),
    ],
)
def test_critics_that_nothing_keeps_lipschitz_are_refused(critic, lacks):
    x, y = drawn()
    with pytest.raises(ValueError, match=lacks) as error:
        fitted(critic, x, y)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"copies": 0}, "copies and batch_size must be at least 1 and steps at least 0; got copies=0"),
        ({"steps": -1}, "steps at least 0; got copies=2, batch_size=32, steps=-1"),
        ({"batch_size": 0}, "got copies=2, batch_size=0"),
        ({"lr": 0.0}, r"lr must be positive and finite; got lr=0\.0"),
        ({"time_budget": 0.0}, r"time_budget must be positive; got time_budget=0\.0"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        fitted(critic_of(), *drawn(), **arguments)


def test_the_plan_must_be_that_of_the_samples():
    x, y = drawn()
    with pytest.raises(ValueError, match=r"40 real and 48 fake; its plan has shape \(48, 48\)"):
        fitted(critic_of(), x[:40], y, wasserstein1(x, y))


def test_without_steps_it_is_the_critic():
    x, y = drawn()
    found = fitted(critic_of(), x, y, steps=0)
    assert (found.critic, found.steps, len(found.members)) == (found.fitted, 0, 1)


def test_a_fit_that_makes_it_worse_leaves_the_critic():
    x, y = drawn()
    good = fitted(critic_of(), x, y, copies=1, steps=100).members[0].network
    # One step at a right angle throws away what was learnt.
    found = fitted(good, x, y, copies=1, steps=1, lr=1.5)
    assert found.critic == found.fitted
    assert found.steps == 1
    assert found.members[0].estimate() == found.critic


def test_a_time_budget_bounds_the_steps():
    x, y = drawn()
    exact, critic = wasserstein1(x, y), critic_of()
    found = fitted(critic, x, y, exact, steps=100_000, time_budget=1.0)
    assert 2 <= found.steps < 100_000
    assert found.seconds < 5
    assert found.critic < found.fitted <= exact.upper
    # One that is not reached changes nothing.
    assert fitted(critic, x, y, exact, time_budget=600.0).fitted == fitted(critic, x, y, exact).fitted


@pytest.mark.parametrize(("n", "m", "groups"), [(24, 24, 1), (24, 24, 5), (20, 30, 4), (4, 4, 9)])
@pytest.mark.parametrize("norm", ["l2", "l1"])
def test_groups_hold_each_pair_once_with_its_values(n: int, m: int, groups: int, norm: Norm):
    x, y = drawn(n, m, (1, 2, 2))
    exact = wasserstein1(x, y, norm=norm)
    found = pair_groups(x, y, exact, groups)
    sizes = [len(group.x) for group in found]
    assert len(found) == min(groups, exact.plan.nnz)
    assert sum(sizes) == exact.plan.nnz
    assert max(sizes) - min(sizes) <= 1
    distance: Callable[[Tensor], Tensor] = lambda d: torch.linalg.vector_norm(  # noqa: E731
        d.flatten(1), ord=2 if norm == "l2" else 1, dim=1
    )
    for group in found:
        assert float(group.weight.sum()) == pytest.approx(1, abs=1e-6)
        # No pair is longer than the optimal critic's difference, and other samples are not below their bound.
        longest = torch.stack([distance(group.x - one) for one in group.other_y]) if len(group.other_y) else None
        if longest is not None:
            assert bool((group.x_value - group.other_value[:, None] <= longest + 1e-5).all())
        used = {tuple(one.flatten().tolist()) for one in group.y} | {
            tuple(one.flatten().tolist()) for one in group.other_y
        }
        assert len(used) == m

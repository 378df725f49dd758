"""Layers, penalties and optimisers in every dtype, mixed and as the default; the meta device."""

import copy
import math
from collections.abc import Iterator

import pytest
import torch
from torch import nn

from tests.lipschitz.cases import CONSTRAINTS
from wgan_lip.dtypes import drawing_dtype, lerp
from wgan_lip.evaluation import evaluate
from wgan_lip.lipschitz import (
    Cayley,
    ConstrainedConv2d,
    ConstrainedLinear,
    GradientPenalty,
    MaxMin,
    OrthogonalLinear,
    certify,
    project_,
)
from wgan_lip.networks import ConvCritic, MLPCritic, ResidualCritic
from wgan_lip.optim import StiefelAdam, StiefelMuon
from wgan_lip.training.callbacks.gradient_norms import between

HALF = (torch.bfloat16, torch.float16)
DTYPES = (*HALF, torch.float32, torch.float64)


@pytest.fixture(params=DTYPES, ids=str)
def default(request) -> Iterator[torch.dtype]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(request.param)
    yield request.param
    torch.set_default_dtype(before)


@pytest.mark.parametrize("x_dtype", DTYPES)
@pytest.mark.parametrize("y_dtype", DTYPES)
def test_lerp_of_two_dtypes_is_that_of_the_numbers(x_dtype, y_dtype):
    x, y, t = torch.randn(7, 3).to(x_dtype), torch.randn(7, 3).to(y_dtype), torch.rand(7, 1)
    found = lerp(x, y, t)
    assert found.dtype == x_dtype
    exact = x.double() + t.double() * (y.double() - x.double())
    tolerance = 4 * max(torch.finfo(x_dtype).eps, torch.finfo(torch.float32).eps)
    torch.testing.assert_close(found.double(), exact, rtol=tolerance, atol=4 * tolerance)
    assert between(x, y, torch.Generator()).dtype == torch.promote_types(x_dtype, torch.float32)


@pytest.mark.parametrize("penalty", [GradientPenalty(), GradientPenalty(one_sided=True)])
@pytest.mark.parametrize("autocast", HALF)
def test_penalties_while_autocasting_are_nearly_those_without(penalty, autocast):
    critic = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 1))
    x = torch.randn(40, 6)
    with torch.no_grad():
        critic[2].weight.mul_(8)
    y = torch.randn(40, 6).to(autocast)
    exact = penalty(critic, x, y.float(), torch.Generator().manual_seed(1))
    with torch.autocast("cpu", dtype=autocast):
        found = penalty(critic, x, y, torch.Generator().manual_seed(1))
    found.backward()
    assert float(exact.detach()) > 0.1
    torch.testing.assert_close(found.detach().float(), exact.detach(), rtol=0.05, atol=0.02)
    assert all(bool(p.grad.isfinite().all()) for p in critic.parameters() if p.grad is not None)


@pytest.mark.parametrize("constraint", CONSTRAINTS)
def test_layers_of_every_constraint_are_built_and_trained_in_the_default_dtype(constraint, default):
    make = CONSTRAINTS[constraint]
    if default in HALF and isinstance(make(), Cayley):
        with pytest.raises(ValueError, match="Cayley needs a weight with values in float32 or float64"):
            ConstrainedLinear(8, 6, make())
        return
    for layer, shape in ((ConstrainedLinear(8, 6, make()), (8,)), (ConstrainedConv2d(2, 4, 2, 2, make()), (2, 4, 4))):
        network, x = nn.Sequential(layer, MaxMin()), torch.randn(5, *shape)
        assert {p.dtype for p in network.parameters()} == {default}
        optimizer = StiefelMuon(network.parameters())
        for _ in range(3):
            optimizer.zero_grad()
            network(x).float().square().mean().backward()
            optimizer.step()
            project_(network)
        bound = certify(network.eval()).bound
        assert math.isfinite(bound)
        if make().guarantee != "none":
            assert bound <= 1 + 30 * torch.finfo(default).eps


@pytest.mark.parametrize("optimizer", [StiefelMuon, StiefelAdam])
def test_orthogonal_weights_stay_orthogonal_to_the_precision_of_their_dtype(optimizer, default):
    layer = OrthogonalLinear(24, 16)
    steps = optimizer(layer.parameters(), lr=0.1)
    first = layer.weight.detach().clone()
    for step in range(30):
        steps.zero_grad()
        layer(torch.randn(8, 24, generator=torch.Generator().manual_seed(step))).float().square().sum().backward()
        steps.step()
    values = torch.linalg.svdvals(layer.weight.detach().double())
    assert float((values - 1).abs().max()) <= 2 * math.sqrt(16) * torch.finfo(default).eps
    assert float((layer.weight.detach() - first).abs().max()) > 0.1


@pytest.mark.parametrize("optimizer", [StiefelMuon, StiefelAdam])
@pytest.mark.parametrize("dtype", HALF)
def test_states_of_half_precision_weights_are_kept_and_restored_in_float32(optimizer, dtype):
    def step(layer: nn.Module, steps: torch.optim.Optimizer, i: int) -> None:
        steps.zero_grad()
        x = torch.randn(8, 6, generator=torch.Generator().manual_seed(i)).to(dtype)
        layer(x).float().square().sum().backward()
        steps.step()

    layer = OrthogonalLinear(6, 4).to(dtype)
    steps = optimizer(layer.parameters())
    for i in range(3):
        step(layer, steps, i)
    kept = copy.deepcopy(steps.state_dict())
    tensors = [value for state in kept["state"].values() for name, value in state.items() if name != "step"]
    assert {value.dtype for value in tensors} == {torch.float32}
    twin = copy.deepcopy(layer)
    restored = optimizer(twin.parameters())
    restored.load_state_dict(kept)
    for i in range(3, 6):
        step(layer, steps, i)
        step(twin, restored, i)
    assert all(torch.equal(a, b) for a, b in zip(layer.parameters(), twin.parameters(), strict=True))


@pytest.mark.parametrize("critic", [MLPCritic, ConvCritic, ResidualCritic])
def test_critics_are_evaluated_in_float64_whatever_the_default(critic, default):
    network = critic((1, 8, 8)) if critic is not MLPCritic else critic((1, 8, 8), 8, 2)
    real, fake = torch.rand(20, 1, 8, 8), torch.rand(20, 1, 8, 8)
    found = evaluate(network, real, fake, torch.rand(20, 1, 8, 8))
    assert found.certified == certify(copy.deepcopy(network).double()).bound
    assert found.certified <= 1 + 0.06 * (default in HALF) + 1e-4
    scores = copy.deepcopy(network).double()(torch.cat((real, fake)).double()).flatten().detach()
    assert found.critic == pytest.approx(float(scores[:20].mean() - scores[20:].mean()) / found.certified, abs=1e-9)
    assert found.gap >= -1e-9


def test_random_numbers_are_drawn_in_no_half_precision(default):
    assert drawing_dtype() == torch.promote_types(default, torch.float32)


@pytest.mark.parametrize("constraint", CONSTRAINTS)
def test_layers_of_every_constraint_are_built_on_the_meta_device_and_loaded(constraint):
    make = CONSTRAINTS[constraint]
    if isinstance(make(), Cayley):
        with pytest.raises(ValueError, match="needs a weight with values"), torch.device("meta"):
            ConstrainedLinear(8, 6, make())
        return
    for build in (lambda: ConstrainedLinear(8, 6, make()), lambda: ConstrainedConv2d(2, 4, 2, 2, make())):
        with torch.device("meta"):
            layer = build()
        with pytest.raises(ValueError, match="meta device"):
            certify(layer)
        whole = build()
        layer.load_state_dict(whole.state_dict(), assign=True)
        assert certify(layer).bound == certify(whole).bound


def test_what_needs_values_refuses_the_meta_device():
    network = MLPCritic((4,), 8, 1).to("meta")
    with pytest.raises(ValueError, match="lies on the meta device, which holds no values"):
        certify(network)
    with pytest.raises(ValueError, match=r"network must hold values, but its 1\.weight lies on the meta"):
        project_(network)
    with pytest.raises(ValueError, match="cannot be copied"):
        evaluate(network, torch.rand(5, 4), torch.rand(5, 4), torch.rand(5, 4))
    for optimizer in (StiefelMuon, StiefelAdam):
        with pytest.raises(ValueError, match="params must hold values; got one on the meta device"):
            optimizer(network.parameters())

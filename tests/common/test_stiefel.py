"""The mark that tells optimisers and projections which weights are orthogonal."""

import copy
import io
import pickle

import pytest
import torch
from torch import nn

from wgan_lip.lipschitz import OrthogonalLinear, on_manifold, project_
from wgan_lip.stiefel import StiefelParameter


def saved_and_loaded(layer: nn.Module) -> nn.Module:
    buffer = io.BytesIO()
    torch.save(layer, buffer)
    buffer.seek(0)
    return torch.load(buffer, weights_only=False)


@pytest.mark.parametrize(
    "copied",
    [
        copy.deepcopy,
        lambda layer: pickle.loads(pickle.dumps(layer)),  # noqa: S301 (just written)
        saved_and_loaded,
        lambda layer: layer.double(),
        lambda layer: layer.to("cpu").requires_grad_(False),
    ],
    ids=["deepcopy", "pickle", "save", "double", "to"],
)
def test_the_mark_survives(copied):
    layer = OrthogonalLinear(6, 4)
    before = layer.weight.detach().clone()
    after = copied(layer)
    assert type(after.weight) is StiefelParameter
    assert torch.equal(after.weight.detach().to(before.dtype), before)


def optimised(kind, **options):
    def change(layer: OrthogonalLinear) -> None:
        stepper = kind(layer.parameters(), lr=0.1, **options)
        layer(torch.randn(3, 6)).square().sum().backward()
        stepper.step()

    return change


CHANGES = {
    "in place": lambda layer: nn.init.ones_(layer.weight),
    "through data": lambda layer: layer.weight.data.mul_(3),
    "other data": lambda layer: nn.utils.vector_to_parameters(torch.ones(28), layer.parameters()),
    "state dict": lambda layer: layer.load_state_dict({k: 2 * v for k, v in layer.state_dict().items()}),
    "cast": lambda layer: layer.double(),
    "sgd": optimised(torch.optim.SGD),
    "adam, foreach": optimised(torch.optim.Adam, foreach=True),
    "adam, fused": optimised(torch.optim.Adam, fused=True),
}


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_changed_the_weight_projecting_makes_it_orthogonal_again(change):
    layer = OrthogonalLinear(6, 4)
    project_(layer)
    assert layer.weight.is_retracted
    CHANGES[change](layer)
    assert not layer.weight.is_retracted
    assert not on_manifold(layer.weight)
    project_(layer)
    assert on_manifold(layer.weight)
    assert layer.weight.is_retracted


def test_a_weight_that_nothing_changed_is_left_as_it_is():
    layer = OrthogonalLinear(6, 4)
    project_(layer)
    before = layer.weight.detach().clone()
    project_(layer)
    assert torch.equal(layer.weight, before)

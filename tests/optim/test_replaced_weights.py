"""Orthogonal weights stay orthogonal when other tensors take their place: the layer says what they are."""

import copy
import io
import pickle
from collections.abc import Callable, Iterator

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, parametrize, prune
from torch.optim.swa_utils import AveragedModel

from wgan_lip.lipschitz import (
    Bjorck,
    Cayley,
    ConstrainedLinear,
    MaxMin,
    OrthogonalConv2d,
    OrthogonalLinear,
    Parseval,
    SpectralProjection,
    certify,
    on_manifold,
    project_,
)
from wgan_lip.optim import StiefelAdam, StiefelMuon
from wgan_lip.stiefel import StiefelParameter


def linear() -> nn.Module:
    generator = torch.Generator().manual_seed(0)
    layers = (OrthogonalLinear(32, 16, generator=generator), OrthogonalLinear(16, 1, generator=generator))
    return nn.Sequential(nn.Flatten(), layers[0], MaxMin(), layers[1])


def convolution() -> nn.Module:
    generator = torch.Generator().manual_seed(0)
    layers = OrthogonalConv2d(2, 4, 3, generator=generator), OrthogonalLinear(64, 1, generator=generator)
    return nn.Sequential(layers[0], MaxMin(), nn.Flatten(), layers[1])


@pytest.fixture
def overwriting() -> Iterator[None]:
    torch.__future__.set_overwrite_module_params_on_conversion(True)
    yield
    torch.__future__.set_overwrite_module_params_on_conversion(False)


@pytest.fixture
def swapping() -> Iterator[None]:
    torch.__future__.set_swap_module_params_on_conversion(True)
    yield
    torch.__future__.set_swap_module_params_on_conversion(False)


def assigned(network: nn.Module) -> nn.Module:
    network.load_state_dict(copy.deepcopy(network.state_dict()), assign=True)
    return network


def by_hand(network: nn.Module) -> nn.Module:
    for module in network.modules():
        if "weight" in module._parameters:
            module.weight = nn.Parameter(module.weight.detach().clone())
    return network


def through_meta(network: nn.Module) -> nn.Module:
    with torch.device("meta"):
        other = copy.deepcopy(network).to("meta")
    other.load_state_dict(network.state_dict(), assign=True)
    return other


def emptied(network: nn.Module) -> nn.Module:
    state = copy.deepcopy(network.state_dict())
    network.to("meta").to_empty(device="cpu").load_state_dict(state)
    return network


def to_its_device(network: nn.Module) -> nn.Module:
    return network.to("cpu")


def unparametrized(network: nn.Module) -> nn.Module:
    for module in network.modules():
        if "weight" in module._parameters:
            parametrize.register_parametrization(module, "weight", nn.Identity())
            parametrize.remove_parametrizations(module, "weight")
    return network


def pruned(network: nn.Module) -> nn.Module:
    for module in network.modules():
        if "weight" in module._parameters:
            prune.remove(prune.identity(module, "weight"), "weight")
    return network


def saved(network: nn.Module) -> nn.Module:
    buffer = io.BytesIO()
    torch.save(dict(network.named_parameters()), buffer)
    buffer.seek(0)
    network.load_state_dict(torch.load(buffer, weights_only=True), assign=True)
    return network


def marked_before_it_was_pickled(network: nn.Module) -> nn.Module:
    """As a file is that was written where the marks had been lost."""
    for parameter in network.parameters():
        parameter.__class__ = nn.Parameter
        vars(parameter).pop("manifold", None)
    return pickle.loads(pickle.dumps(network))  # noqa: S301 (just written)


def without_methods(network: nn.Module) -> nn.Module:
    """As sharded training does."""
    for module in network.modules():
        if "weight" in module._parameters:
            module._parameters["weight"] = nn.Parameter(module.weight.detach().clone())
    return network


def swapped_by_hand(network: nn.Module) -> nn.Module:
    for parameter in list(network.parameters()):
        torch.utils.swap_tensors(parameter, nn.Parameter(parameter.detach().clone()))
    return network


REPLACEMENTS: dict[str, Callable[[nn.Module], nn.Module]] = {
    "assigned": assigned,
    "by hand": by_hand,
    "through meta": through_meta,
    "emptied": emptied,
    "double": lambda network: network.double(),
    "half and back": lambda network: network.half().float(),
    "copied": copy.deepcopy,
    "copied, then assigned": lambda network: assigned(copy.deepcopy(network)),
    "averaged": lambda network: AveragedModel(network).module,
    "unparametrized": unparametrized,
    "pruned": pruned,
    "saved": saved,
    "without methods": without_methods,
    "swapped by hand": swapped_by_hand,
    "pickled without marks": marked_before_it_was_pickled,
}


def train(network: nn.Module, optimizer: torch.optim.Optimizer, steps: int = 20) -> None:
    dtype = next(network.parameters()).dtype
    generator = torch.Generator().manual_seed(1)
    for _ in range(steps):
        optimizer.zero_grad()
        x = torch.randn(16, 2, 4, 4, generator=generator, dtype=torch.float64).to(dtype)
        network(x).sum().backward()
        optimizer.step()


@pytest.mark.parametrize("build", [linear, convolution])
@pytest.mark.parametrize("replacement", REPLACEMENTS)
@pytest.mark.parametrize("optimizer", [StiefelMuon, StiefelAdam])
def test_orthogonal_weights_that_were_replaced_are_moved_along_the_manifold(optimizer, replacement, build):
    network = REPLACEMENTS[replacement](build())
    before = [p.detach().clone() for p in network.parameters()]
    train(network, optimizer(network.parameters(), lr=0.1))
    # 20 steps of StiefelMuon led to 4.5.
    assert certify(network).bound < 1 + 1e-4
    assert not any(torch.equal(p, q) for p, q in zip(network.parameters(), before, strict=True))


@pytest.mark.parametrize("build", [linear, convolution])
@pytest.mark.parametrize("replacement", [lambda network: network.double(), to_its_device, assigned, emptied])
@pytest.mark.usefixtures("overwriting")
def test_where_casts_replace_parameters(replacement, build):
    network = replacement(build())
    train(network, StiefelMuon(network.parameters(), lr=0.1))
    assert certify(network).bound < 1 + 1e-4


@pytest.mark.parametrize("build", [linear, convolution])
@pytest.mark.parametrize("replacement", [lambda network: assigned(network.double()), to_its_device, assigned, emptied])
@pytest.mark.usefixtures("swapping")
def test_where_casts_and_loading_swap_parameters(replacement, build):
    network = replacement(build())
    train(network, StiefelMuon(network.parameters(), lr=0.1))
    assert certify(network).bound < 1 + 1e-4


@pytest.mark.usefixtures("swapping")
def test_state_that_is_swapped_in():
    network = linear()
    network.load_state_dict(linear().state_dict())
    assert isinstance(network[1].weight, StiefelParameter)
    train(network, StiefelMuon(network.parameters(), lr=0.1))
    assert certify(network).bound < 1 + 1e-4


@pytest.mark.parametrize("replacement", ["assigned", "by hand", "double", "unparametrized", "pruned", "saved"])
def test_a_replaced_weight_that_is_given_by_itself(replacement):
    layer = REPLACEMENTS[replacement](OrthogonalLinear(32, 8))
    train(nn.Sequential(nn.Flatten(), layer), StiefelMuon([layer.weight], lr=0.1))
    assert on_manifold(layer.weight)


def test_an_optimiser_of_the_old_tensors_leaves_the_new_ones_alone():
    network = linear()
    optimizer = StiefelMuon(network.parameters(), lr=0.1)
    train(network, optimizer, steps=1)
    train(assigned(network), optimizer)
    assert certify(network).bound < 1 + 1e-4


def test_a_free_parameter_that_becomes_an_orthogonal_weight_is_refused_by_the_next_step():
    layer = OrthogonalLinear(8, 8)
    free = nn.Parameter(torch.randn(8, 8, generator=torch.Generator().manual_seed(0)))
    optimizer = StiefelMuon([free, layer.bias], lr=0.1)
    layer.weight = free
    layer(torch.ones(1, 8)).sum().backward()
    before = free.detach().clone()
    with pytest.raises(ValueError, match=r"shape \(8, 8\) has become the weight of an orthogonal layer"):
        optimizer.step()
    assert torch.equal(free, before)
    assert layer.weight is free
    project_(layer)
    assert on_manifold(layer.weight)
    StiefelMuon(layer.parameters(), lr=0.1).step()
    assert on_manifold(layer.weight)


def test_whoever_frees_a_group_frees_marked_weights_too():
    network = assigned(linear())
    optimizer = StiefelMuon([{"params": list(network.parameters()), "manifold": None}], adam_lr=0.1)
    train(network, optimizer)
    assert certify(network).bound > 1.5
    project_(network)
    assert certify(network).bound < 1 + 1e-4


def test_a_parameter_that_is_put_into_a_group_by_hand_is_looked_at():
    network = linear()
    optimizer = StiefelMuon([nn.Parameter(torch.ones(3))])
    optimizer.param_groups[0]["params"] = list(network.parameters())
    network(torch.ones(1, 2, 4, 4)).sum().backward()
    with pytest.raises(ValueError, match="has become the weight of an orthogonal layer"):
        optimizer.step()


def test_a_file_does_not_say_what_a_parameter_is():
    """That of an optimiser whose only group was free, where marks had been lost."""
    layer = OrthogonalLinear(8, 8, bias=False)
    optimizer = StiefelMuon(layer.parameters(), lr=0.1)
    state = optimizer.state_dict()
    state["param_groups"][0]["manifold"] = None
    optimizer.load_state_dict(state)
    for _ in range(20):
        layer(torch.ones(1, 8)).sum().backward()
        optimizer.step()
    assert on_manifold(layer.weight)


def test_tensors_of_no_layer_that_are_orthogonal_get_a_warning():
    network = linear()
    clones = {name: p.detach().clone().requires_grad_() for name, p in network.named_parameters()}
    with pytest.warns(UserWarning, match=r"a matrix of shape \(16, 32\) is orthogonal, but no layer has marked it"):
        StiefelMuon([clones["1.weight"]])
    optimizer = StiefelMuon(
        [
            {"params": [p for p in clones.values() if p.ndim == 2], "manifold": "stiefel"},
            {"params": [p for p in clones.values() if p.ndim == 1]},
        ],
        lr=0.1,
    )
    for _ in range(20):
        optimizer.zero_grad()
        torch.func.functional_call(network, clones, torch.ones(3, 2, 4, 4)).sum().backward()
        optimizer.step()
    network.load_state_dict(clones)
    assert certify(network).bound < 1 + 1e-4


@pytest.mark.parametrize("changed", [lambda layer: layer, copy.deepcopy, assigned, lambda layer: layer.double()])
@pytest.mark.parametrize("constraint", [Bjorck(), Cayley(), Parseval(), SpectralProjection()])
def test_weights_under_other_constraints_are_free_without_a_warning(constraint, changed):
    layer = changed(ConstrainedLinear(6, 4, constraint))
    groups = StiefelMuon(layer.parameters()).param_groups
    assert [group["manifold"] for group in groups] == [None]


@pytest.mark.parametrize(
    "added",
    [
        lambda layer: parametrizations.spectral_norm(layer, "weight"),
        lambda layer: parametrize.register_parametrization(layer, "weight", nn.Hardtanh(-0.1, 0.1)),
        lambda layer: prune.l1_unstructured(layer, "weight", 5),
    ],
)
@pytest.mark.parametrize("layer", [OrthogonalLinear(6, 4), ConstrainedLinear(6, 4, SpectralProjection())])
def test_a_weight_that_is_computed_cannot_be_projected(layer, added):
    layer = copy.deepcopy(layer)
    added(layer)
    with pytest.raises(ValueError, match=r"project_ needs weights that are parameters; that of .* is computed"):
        project_(layer)


def test_layers_can_be_built_on_the_meta_device():
    with torch.device("meta"):
        network = linear()
    network.load_state_dict(linear().state_dict(), assign=True)
    train(network, StiefelMuon(network.parameters(), lr=0.1))
    assert certify(network).bound < 1 + 1e-4

"""The fully connected critic and generator."""

from functools import partial

import pytest
import torch
from torch import nn

from wgan_lip.lipschitz import (
    Abs,
    Bjorck,
    ConstrainedLinear,
    FullSort,
    GroupSort,
    Householder,
    Maxout,
    OrthogonalLinear,
    SpectralNorm,
    Unconstrained,
    certify,
)
from wgan_lip.networks import MLPCritic, MLPGenerator


@pytest.mark.parametrize("shape", [(5,), (1, 8, 8), (3, 4, 4)])
@pytest.mark.parametrize("depth", [1, 3])
def test_shapes(shape, depth):
    critic = MLPCritic(shape, width=12, depth=depth)
    generator = MLPGenerator(shape, noise_dim=7, width=12, depth=depth)
    samples = generator(torch.randn(9, 7))
    assert samples.shape == (9, *shape)
    assert samples.abs().max() <= 1
    assert critic(samples).shape == (9, 1)


@pytest.mark.parametrize("activation", [FullSort, lambda: GroupSort(4)])
@pytest.mark.parametrize(
    "linear", [OrthogonalLinear, lambda i, o: OrthogonalLinear(i, o, constraint=Bjorck(iterations=30))]
)
@pytest.mark.parametrize("constant", [1.0, 0.5, 7.0])
def test_layers_are_injected_and_the_constant_is_kept(activation, linear, constant):
    critic = MLPCritic((6,), 8, 2, linear, activation, constant)
    bound = certify(critic).bound
    assert bound <= constant * (1 + 1e-5)
    x, y = torch.randn(2, 300, 6)
    slopes = (critic(x) - critic(y)).abs().squeeze() / (x - y).norm(dim=1)
    assert 0 < slopes.max() <= bound * (1 + 1e-5)


@pytest.mark.parametrize(
    ("activation", "channels"),
    [
        (lambda: Maxout(2), 6),
        (lambda: Maxout(4), 3),
        (Abs, 12),
        (Householder, 12),
        (partial(Householder, 12), 12),
        (partial(Householder, dim=-1), 12),
    ],
)
def test_activations_that_need_or_change_the_channels(activation, channels):
    critic = MLPCritic((5,), 12, 3, activation=activation)
    linears = [layer for layer in critic if isinstance(layer, nn.Linear)]
    assert [(layer.in_features, layer.out_features) for layer in linears] == [
        (5, 12),
        (channels, 12),
        (channels, 12),
        (channels, 1),
    ]
    assert certify(critic).bound <= 1 + 1e-5
    assert critic(torch.randn(9, 5)).shape == (9, 1)
    assert MLPGenerator((2, 3), 4, 12, 2, activation=activation)(torch.randn(9, 4)).shape == (9, 2, 3)


def test_every_constraint_serves_as_linear():
    for constraint in (SpectralNorm(), Unconstrained()):
        critic = MLPCritic((5,), 8, 2, linear=partial(ConstrainedLinear, constraint=constraint))
        assert critic(torch.randn(9, 5)).shape == (9, 1)
        assert all(layer.constraint is constraint for layer in critic if isinstance(layer, nn.Linear))


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match="channels=10, group_size=4"):
        MLPCritic((5,), width=10, activation=lambda: GroupSort(4))
    with pytest.raises(ValueError, match="channels=10, group_size=4"):
        MLPCritic((5,), width=10, activation=lambda: Maxout(4))
    with pytest.raises(ValueError, match="Householder needs channels=8"):
        MLPCritic((5,), width=10, activation=partial(Householder, 8))
    with pytest.raises(ValueError, match=r"input_shape must be a non-empty list .* got \[\]"):
        MLPCritic(())
    with pytest.raises(TypeError, match=r"input_shape must be a list of sizes, such as .*; got 8"):
        MLPCritic(8)
    with pytest.raises(TypeError, match=r"activation must be a class or a function that .*; got a GroupSort layer"):
        MLPCritic((5,), activation=GroupSort(4))
    with pytest.raises(ValueError, match=r"output_shape .* got \[0, 8\]"):
        MLPGenerator((0, 8))
    with pytest.raises(ValueError, match="width=0, depth=3"):
        MLPCritic((5,), width=0)
    with pytest.raises(ValueError, match="noise_dim=0"):
        MLPGenerator((5,), noise_dim=0)


def test_generator_takes_other_layers():
    generator = MLPGenerator((2,), noise_dim=3, width=4, depth=2, activation=nn.Tanh)
    assert sum(isinstance(layer, nn.Tanh) for layer in generator) == 3

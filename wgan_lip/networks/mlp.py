"""Fully connected critics and generators, and the default critic."""

import math
from collections.abc import Callable, Sequence
from functools import partial

from torch import nn

from wgan_lip.lipschitz import GroupSort, MaxMin, OrthogonalLinear
from wgan_lip.networks.layers import ActivationFactory, LinearFactory, check_sizes, hidden_layers, scaled

# Builds a critic from the shape of one sample, without the batch axis.
CriticFactory = Callable[[Sequence[int]], nn.Module]


class MLPCritic(nn.Sequential):
    """A K-Lipschitz critic ``f: R^shape -> R`` of orthogonal layers with GroupSort between them.

    Flatten, ``depth`` times (linear, activation), linear to one output, and Scale(K) if K is not 1.

    Args:
        input_shape: shape of one input, without the batch axis.
        width: channels of every hidden linear layer; an activation may leave fewer (Maxout).
        depth: number of hidden layers.
        linear: builds a linear layer from its sizes.
        activation: builds an activation.
        lipschitz_constant: K, the factor of the final ``Scale``.

    Shape:
        ``(N, *input_shape) -> (N, 1)``.

    Raises:
        ValueError: a size below 1, or a ``width`` that the activation does not accept.

    Source:
        Anil, Lucas, Grosse, "Sorting out Lipschitz function approximation", ICML 2019, section 4.

    Example:
        >>> from wgan_lip.lipschitz import certify
        >>> critic = MLPCritic([1, 8, 8], width=32)
        >>> critic(torch.zeros(5, 1, 8, 8)).shape
        torch.Size([5, 1])
        >>> round(certify(critic).bound, 4)
        1.0
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        width: int = 128,
        depth: int = 3,
        linear: LinearFactory = OrthogonalLinear,
        activation: ActivationFactory = MaxMin,
        lipschitz_constant: float = 1.0,
    ) -> None:
        hidden, features = hidden_layers(numel("input_shape", input_shape), _widths(width, depth), linear, activation)
        super().__init__(nn.Flatten(), *hidden, linear(features, 1), *scaled(lipschitz_constant))
        self.input_shape = tuple(input_shape)
        self.lipschitz_constant = lipschitz_constant


class MLPGenerator(nn.Sequential):
    """A generator ``G: R^noise_dim -> [-1, 1]^shape`` of linear layers, with a final tanh.

    Args:
        output_shape: shape of one sample, without the batch axis.
        noise_dim: dimension of the noise z ~ N(0, I).
        width: channels of every hidden linear layer; an activation may leave fewer (Maxout).
        depth: number of hidden layers.
        linear: builds a linear layer from its sizes.
        activation: builds an activation.

    Shape:
        ``(N, noise_dim) -> (N, *output_shape)``.

    Raises:
        ValueError: a size below 1, or a ``width`` that the activation does not accept.
    """

    # Of every coordinate of every output, for any weights.
    bounds = (-1.0, 1.0)

    def __init__(
        self,
        output_shape: Sequence[int],
        noise_dim: int = 64,
        width: int = 256,
        depth: int = 2,
        linear: LinearFactory = nn.Linear,
        activation: ActivationFactory = nn.ReLU,
    ) -> None:
        coordinates = numel("output_shape", output_shape)
        check_sizes(noise_dim=noise_dim)
        layers, features = hidden_layers(noise_dim, _widths(width, depth), linear, activation)
        super().__init__(*layers, linear(features, coordinates), nn.Tanh(), nn.Unflatten(1, tuple(output_shape)))
        self.noise_dim = noise_dim
        self.output_shape = tuple(output_shape)


def _widths(width: int, depth: int) -> list[int]:
    if width < 1 or depth < 1:
        raise ValueError(f"width and depth must be at least 1; got width={width}, depth={depth}")
    return [width] * depth


def numel(name: str, shape: Sequence[int]) -> int:
    """Return the number of coordinates of a sample.

    Args:
        name: of the argument, for the error message.
        shape: of one sample.

    Raises:
        ValueError: the shape is empty, or a size is below 1.
        TypeError: the shape is not a sequence.
    """
    if not isinstance(shape, Sequence):
        raise TypeError(f"{name} must be a list of sizes, such as [8]; got {shape!r}")
    if not shape or min(shape) < 1:
        raise ValueError(f"{name} must be a non-empty list of sizes of at least 1; got {list(shape)}")
    return math.prod(shape)


def default_critic(input_shape: Sequence[int]) -> nn.Module:
    """Build the recommended critic for samples of a shape: a certified MLP that depends on the dimension only.

    Up to 4 dimensions it has 8 layers of 128 in groups of 4, up to 48 dimensions 10 of 128 in pairs (MaxMin), above
    that 3 of 256 in groups of 16. These were chosen on pairs of 2, 8, 32 and 128 dimensions: docs/funnels.md.

    Args:
        input_shape: shape of one sample, without the batch axis.
    """
    dim = math.prod(input_shape)
    if dim <= 4:
        return MLPCritic(input_shape, width=128, depth=8, activation=partial(GroupSort, 4))
    if dim <= 48:
        return MLPCritic(input_shape, width=128, depth=10)
    return MLPCritic(input_shape, width=256, depth=3, activation=partial(GroupSort, 16))

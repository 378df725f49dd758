"""The Lipschitz certificate: a proven upper bound of a network's Lipschitz constant."""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from wgan_lip.lipschitz.bounds import product_upper_bound
from wgan_lip.lipschitz.leaves import inherits_forward, is_hooked, kind_of, leaves
from wgan_lip.lipschitz.residual import ConvexResidual
from wgan_lip.lipschitz.rules import RULES, Rule


@dataclass(frozen=True)
class LayerBound:
    """A proven bound of one layer's Lipschitz constant.

    Attributes:
        name: the layer's dotted name in the network; "" for the network itself.
        kind: its class.
        bound: at least its Lipschitz constant.
    """

    name: str
    kind: str
    bound: float


@dataclass(frozen=True)
class LipschitzCertificate:
    """A proof that ``|f(x) - f(y)| <= bound * |x - y|`` for all x and y.

    Attributes:
        bound: the product of the layers' bounds, rounded up.
        norm: the norm on the inputs and outputs in which the bound holds.
        layers: the factors, in the order in which they are applied.
    """

    bound: float
    norm: Literal["l2", "l1", "linf"]
    layers: tuple[LayerBound, ...]


def certify(network: nn.Module) -> LipschitzCertificate:
    """Bound a network's Lipschitz constant in the l2 norm, rigorously and in float64.

    The network is a layer with a known bound or an ``nn.Sequential`` (also nested) of such layers:
    ``L(f_k o ... o f_1) <= prod_i L(f_i)``. The weights are taken as they are stored, so the bound
    is about the exact function that they define; the proof covers evaluation mode (dropout off).

    Args:
        network: the network to bound; it is not changed.

    Returns:
        The certificate; its ``bound`` is at least the true Lipschitz constant.

    Raises:
        ValueError: a layer that cannot be bounded (it is named, with its class), or whose weight
            holds NaN or infinity.
    """
    layers = []
    for name, module in leaves(network):
        try:
            _check_finite(module)
            bound = _rule_for(module)(module)
        except ValueError as error:
            layer = f"layer '{name}'" if name else "the network"
            raise ValueError(f"cannot certify {layer} ({kind_of(module)}): {error}") from None
        layers.append(LayerBound(name, kind_of(module), bound))
    return LipschitzCertificate(product_upper_bound([layer.bound for layer in layers]), "l2", tuple(layers))


def _convex_residual(module: nn.Module) -> float:
    if not isinstance(module, ConvexResidual):
        raise ValueError(f"it is no residual connection but a {type(module).__name__}")
    weight, branch = float(module.weight), certify(module.branch).bound
    if not math.isfinite(weight):
        raise ValueError(f"its weight is {weight}")
    # Two roundings of the terms and one of their sum, all of positive numbers.
    return (abs(1 - weight) + abs(weight) * branch) * (1 + 4 * torch.finfo(torch.float64).eps)


_RULES: dict[type[nn.Module], Rule] = {**RULES, ConvexResidual: _convex_residual}


def _check_finite(module: nn.Module) -> None:
    for tensor in (*module.parameters(), *module.buffers()):
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise ValueError("a parameter or buffer holds NaN or infinity")


def _rule_for(module: nn.Module) -> Rule:
    if is_hooked(module):
        raise ValueError("it has forward hooks, or a forward of its own instance, that may change its output")
    for base in type(module).__mro__:
        if base in _RULES:
            # A subclass that computes something else must not inherit the bound.
            if inherits_forward(module, base):
                return _RULES[base]
            raise ValueError(f"its forward is not that of {base.__name__}")
    raise ValueError(f"no bound is known for this class; known are {', '.join(sorted(c.__name__ for c in _RULES))}")

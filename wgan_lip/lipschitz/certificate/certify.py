"""The Lipschitz certificate: a proven upper bound of a network's Lipschitz constant."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import nn

from wgan_lip.lipschitz.bounds import product_upper_bound
from wgan_lip.lipschitz.certificate.rules import L_INFINITY_RULES, RULES, Rule
from wgan_lip.lipschitz.constraints.constraint import Constraint, Norm
from wgan_lip.lipschitz.inspection import (
    describe,
    evaluating,
    finite_number,
    inherits_forward,
    is_hooked,
    kind_of,
    leaves,
)
from wgan_lip.lipschitz.layers.composition import ConvexResidual


@dataclass(frozen=True)
class LayerBound:
    """A proven bound of one layer's Lipschitz constant.

    Attributes:
        name: the layer's dotted name in the network; "" for the network itself.
        kind: its class.
        bound: at least its Lipschitz constant.
        rounding: the largest error of its output, if the error of each operation ``y = W x + b`` in it is one unit
            times ``max(1, |W|)``. A layer of one operation has ``max(1, bound)``; a layer of several has more.
    """

    name: str
    kind: str
    bound: float
    rounding: float


@dataclass(frozen=True)
class LipschitzCertificate:
    """A proof that ``|f(x) - f(y)| <= bound * |x - y|`` for all x and y.

    Attributes:
        bound: the product of the layers' bounds, rounded up.
        norm: the norm on the inputs and outputs in which the bound holds.
        layers: the factors, in the order in which they are applied.
    """

    bound: float
    norm: Norm
    layers: tuple[LayerBound, ...]

    @property
    def rounding(self) -> float:
        """The largest error of the output, in the units of :class:`LayerBound`; later layers magnify each error."""
        off = 0.0
        for layer in self.layers:
            off = (off * layer.bound if layer.bound > 0 else 0.0) + layer.rounding
        return off


def certify(network: nn.Module, norm: Norm | None = None) -> LipschitzCertificate:
    """Bound a network's Lipschitz constant, rigorously and in float64.

    The network is a layer with a known bound or an ``nn.Sequential`` (also nested) of such layers:
    ``L(f_k o ... o f_1) <= prod_i L(f_i)``, all constants in one norm. The bound is of the exact function that the
    stored weights define; a weight or kernel that is computed from parameters is used as computed in their dtype. The
    proof covers evaluation mode (dropout off), and batches whose first axis counts samples of one axis or more.

    Args:
        network: the network to bound; it is not changed.
        norm: on the inputs, the outputs and all activations: "l2" or "linf". None is the norm of its layers'
            constraints (:func:`norm_of`), l2 if there are none.

    Returns:
        The certificate; its ``bound`` is at least the true Lipschitz constant.

    Raises:
        ValueError: an unknown norm; constraints in different norms, whose constants cannot be multiplied; a layer that
            cannot be bounded in the norm, or whose weight holds NaN or infinity (the message names it and its class).
        TypeError: the network is not a module.

    Example:
        >>> network = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 1))
        >>> with torch.no_grad():
        ...     _ = network[0].weight.copy_(torch.tensor([[3.0, 0.0], [0.0, 1.0]]))
        ...     _ = network[2].weight.copy_(torch.tensor([[0.6, 0.8]]))
        >>> round(certify(network).bound, 6)
        3.0
    """
    if not isinstance(network, nn.Module):
        raise TypeError(f"network must be a torch.nn.Module; got {type(network).__name__}")
    if norm is None:
        norm = norm_of(network) or "l2"
    elif norm not in _RULES:
        raise ValueError(f"norm must be one of {', '.join(_RULES)}; got norm={norm!r}")
    layers = []
    for name, module in leaves(network):
        try:
            _check_finite(module)
            _check_fixed(module)
            bound, rounding = _rule_for(module, norm)(module)
        except _CANNOT as error:
            raise ValueError(f"cannot certify {describe(name)} ({kind_of(module)}): {error}") from None
        layers.append(LayerBound(name, kind_of(module), bound, rounding))
    return LipschitzCertificate(product_upper_bound([layer.bound for layer in layers]), norm, tuple(layers))


def norm_of(network: nn.Module) -> Norm | None:
    """Find the norm in which the constraints of a network's layers make them 1-Lipschitz; None if there are none.

    Args:
        network: any module.

    Raises:
        ValueError: constraints in different norms: the product of such constants bounds nothing.
    """
    held: dict[Norm, str] = {}
    for name, module in network.named_modules():
        constraint = getattr(module, "constraint", None)
        if isinstance(constraint, Constraint) and constraint.guarantee != "none":
            held.setdefault(constraint.norm, f"{describe(name)} ({type(constraint).__name__}) in {constraint.norm}")
    if len(held) > 1:
        raise ValueError(
            f"the layers' constraints are in different norms, {' and '.join(held.values())}, whose constants cannot be "
            "multiplied: use constraints in one norm, or give the norm in which to bound the weights as they are"
        )
    return next(iter(held), None)


# The bound of a layer, and its rounding.
_Rule = Callable[[Any], tuple[float, float]]
# The errors of rules for layers whose attributes or weights were replaced by unsuitable values.
_CANNOT = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)


def _operation(module: nn.Module, rule: Rule) -> tuple[float, float]:
    bound = rule(module)
    return bound, max(1.0, bound)


def _convex_residual(module: ConvexResidual, norm: Norm) -> tuple[float, float]:
    weight, branch = finite_number(module.weight, "weight"), certify(module.branch, norm)
    terms = abs(1 - weight), abs(weight)
    # Two roundings of the terms and one of their sum, all of positive numbers.
    bound = (terms[0] + terms[1] * branch.bound) * (1 + 4 * torch.finfo(torch.float64).eps)
    # The branch's, and the roundings of ``1 - a``, of both products and of the sum.
    return bound, terms[1] * branch.rounding + 2 * sum(terms)


def _of_each_class(rules: Mapping[type[nn.Module], Rule], norm: Norm) -> dict[type[nn.Module], _Rule]:
    operations: dict[type[nn.Module], _Rule] = {kind: partial(_operation, rule=rule) for kind, rule in rules.items()}
    return {**operations, ConvexResidual: partial(_convex_residual, norm=norm)}


_RULES: Mapping[Norm, Mapping[type[nn.Module], _Rule]] = {
    "l2": _of_each_class(RULES, "l2"),
    "linf": _of_each_class(L_INFINITY_RULES, "linf"),
}


def _check_finite(module: nn.Module) -> None:
    for tensor in (*module.parameters(), *module.buffers()):
        if tensor.is_meta:
            raise ValueError("a parameter or buffer lies on the meta device, which holds no values")
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise ValueError("a parameter or buffer holds NaN or infinity")


def _check_fixed(module: nn.Module) -> None:
    """Raise ValueError unless weights that are computed by parametrisations are the same each time."""
    if nn.utils.parametrize.is_parametrized(module):
        with evaluating(module), torch.no_grad():
            for name in module.parametrizations:  # type: ignore[union-attr]
                if not torch.equal(getattr(module, name), getattr(module, name)):
                    raise ValueError(f"its {name} is not the same each time that it is computed")


def _rule_for(module: nn.Module, norm: Norm) -> _Rule:
    if is_hooked(module):
        raise ValueError("it has forward hooks, or a forward set on the instance, that may change its output")
    rules = _RULES[norm]
    for base in type(module).__mro__:
        if base in rules:
            # A subclass with another forward must not inherit the bound.
            if inherits_forward(module, base):
                return rules[base]
            raise ValueError(f"its forward is not that of {base.__name__}")
    known = [other for other in _RULES if any(base in _RULES[other] for base in type(module).__mro__)]
    if known:
        raise ValueError(
            f"its constant is known in {known[0]} only, not in {norm}, and constants in different norms do not multiply"
        )
    names = sorted(c.__name__ for c in rules)
    raise ValueError(f"no bound is known for this class; known are {', '.join(names)}")

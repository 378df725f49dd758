"""The Lipschitz certificate: a proven upper bound of a network's Lipschitz constant."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import nn

from wgan_lip.lipschitz.bounds import product_upper_bound
from wgan_lip.lipschitz.certificate.l_infinity_rules import L_INFINITY_RULES
from wgan_lip.lipschitz.certificate.rules import RULES, Rule
from wgan_lip.lipschitz.constraints.constraint import Constraint, Norm
from wgan_lip.lipschitz.evaluating import evaluating
from wgan_lip.lipschitz.layers.residual import ConvexResidual
from wgan_lip.lipschitz.leaves import inherits_forward, is_hooked, kind_of, leaves, named
from wgan_lip.lipschitz.stored import finite_number


@dataclass(frozen=True)
class LayerBound:
    """A proven bound of one layer's Lipschitz constant.

    Attributes:
        name: the layer's dotted name in the network; "" for the network itself.
        kind: its class.
        bound: at least its Lipschitz constant.
        rounding: how far its output is off at most, if each operation ``y = W x + b`` in it is off by one unit times
            ``max(1, |W|)``. A layer of one operation has ``max(1, bound)``; one made of several has more.
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
        """How far the output is off at most, in the units of :class:`LayerBound`: each error grows in later layers."""
        off = 0.0
        for layer in self.layers:
            off = (off * layer.bound if layer.bound > 0 else 0.0) + layer.rounding
        return off


def certify(network: nn.Module, norm: Norm | None = None) -> LipschitzCertificate:
    """Bound a network's Lipschitz constant, rigorously and in float64.

    The network is a layer with a known bound or an ``nn.Sequential`` (also nested) of such layers:
    ``L(f_k o ... o f_1) <= prod_i L(f_i)``, all constants in one norm. The weights are taken as they are stored, so
    the bound is about the exact function that they define; a weight or kernel that is computed from parameters is taken
    as it comes out in their dtype. The proof covers evaluation mode (dropout off), and samples that are counted by the
    first axis of a batch and have one axis or more of their own.

    Args:
        network: the network to bound; it is not changed.
        norm: on inputs, outputs and all between: "l2" or "linf". None is the one in which its layers are held
            (:func:`norm_of`), l2 where none is.

    Returns:
        The certificate; its ``bound`` is at least the true Lipschitz constant.

    Raises:
        ValueError: an unknown norm; layers that are held in different norms, whose constants do not multiply; a layer
            that cannot be bounded in the norm (it is named, with its class), or whose weight holds NaN or infinity.

    Example:
        >>> network = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 1))
        >>> with torch.no_grad():
        ...     _ = network[0].weight.copy_(torch.tensor([[3.0, 0.0], [0.0, 1.0]]))
        ...     _ = network[2].weight.copy_(torch.tensor([[0.6, 0.8]]))
        >>> round(certify(network).bound, 6)
        3.0
    """
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
            raise ValueError(f"cannot certify {named(name)} ({kind_of(module)}): {error}") from None
        layers.append(LayerBound(name, kind_of(module), bound, rounding))
    return LipschitzCertificate(product_upper_bound([layer.bound for layer in layers]), norm, tuple(layers))


def norm_of(network: nn.Module) -> Norm | None:
    """The norm in which a network's layers are held 1-Lipschitz by their constraints; None where none is.

    Args:
        network: any module.

    Raises:
        ValueError: some are held in one norm and some in another: then the product of their constants says nothing.
    """
    held: dict[Norm, str] = {}
    for name, module in network.named_modules():
        constraint = getattr(module, "constraint", None)
        if isinstance(constraint, Constraint) and constraint.guarantee != "none":
            held.setdefault(constraint.norm, f"{named(name)} ({type(constraint).__name__}) in {constraint.norm}")
    if len(held) > 1:
        raise ValueError(
            f"layers are held 1-Lipschitz in different norms, {' and '.join(held.values())}: their constants cannot be "
            "multiplied; use layers of one norm, or name the norm in which all are to be bounded as they are"
        )
    return next(iter(held), None)


# The bound of a layer, and its rounding.
_Rule = Callable[[Any], tuple[float, float]]
# What rules meet in layers whose attributes or weights were replaced by what does not fit.
_CANNOT = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)


def _operation(module: nn.Module, rule: Rule) -> tuple[float, float]:
    bound = rule(module)
    return bound, max(1.0, bound)


def _convex_residual(module: ConvexResidual, norm: Norm) -> tuple[float, float]:
    weight, branch = finite_number(module.weight, "weight"), certify(module.branch, norm)
    terms = abs(1 - weight), abs(weight)
    # Two roundings of the terms and one of their sum, all of positive numbers.
    bound = (terms[0] + terms[1] * branch.bound) * (1 + 4 * torch.finfo(torch.float64).eps)
    # Besides the branch's, the roundings of ``1 - a``, of both products and of the sum.
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
    """Weights that are computed anew each time must come out the same."""
    if nn.utils.parametrize.is_parametrized(module):
        with evaluating(module), torch.no_grad():
            for name in module.parametrizations:  # type: ignore[union-attr]
                if not torch.equal(getattr(module, name), getattr(module, name)):
                    raise ValueError(f"its {name} is another one each time that it is computed")


def _rule_for(module: nn.Module, norm: Norm) -> _Rule:
    if is_hooked(module):
        raise ValueError("it has forward hooks, or a forward of its own instance, that may change its output")
    rules = _RULES[norm]
    for base in type(module).__mro__:
        if base in rules:
            # A subclass that computes something else must not inherit the bound.
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

"""Constraints: small objects that keep the weight of an ordinary layer in a set of matrices."""

from abc import ABC, abstractmethod
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

Guarantee = Literal["orthogonal", "lipschitz", "none"]
# The norm on a layer's inputs and outputs in which its constant is meant.
Norm = Literal["l2", "linf"]


class Constraint(ABC):
    """How a layer's ``weight`` is held in its set.

    A constraint is attached once, when the layer is built. One that is held by a parametrisation
    needs nothing more; one that is held by a projection is restored after every optimiser step by
    :func:`project_`. Constraints keep no state of a layer: one may serve many.

    Attributes:
        guarantee: what holds of the weight in evaluation mode, after :func:`project_`, whatever the optimiser did, to
            the precision of its dtype: "orthogonal", all singular values are 1; "lipschitz", the matrix is 1-Lipschitz
            in ``norm``; "none", neither, so that a critic of such layers has no known Lipschitz constant but the one
            that ``certify`` finds.
        norm: in which it holds.
    """

    guarantee: ClassVar[Guarantee]
    norm: ClassVar[Norm] = "l2"

    @abstractmethod
    def attach(self, layer: nn.Module) -> None:
        """Bring ``layer.weight`` into the set and register whatever keeps it there."""

    @abstractmethod
    def project_(self, layer: nn.Module) -> None:
        """Bring ``layer.weight`` back into the set, in place, after an optimiser's step."""


class Parametrized(Constraint):
    """Held by a parametrisation in every forward pass: there is nothing to restore."""

    def project_(self, layer: nn.Module) -> None:
        return


class Projected(Constraint):
    """Held by replacing the weight after every step; the forward pass is that of an ordinary layer."""

    @abstractmethod
    def projection(self, weight: Tensor) -> Tensor:
        """What a weight of shape (m, n) is replaced by; the weight itself is not changed."""

    def attach(self, layer: nn.Module) -> None:
        self.project_(layer)

    @torch.no_grad()
    def project_(self, layer: nn.Module) -> None:
        weight = weight_of(layer)
        weight.copy_(self.projection(weight))


class Unconstrained(Constraint):
    """Any weight: an ordinary layer, for comparison."""

    guarantee = "none"

    def attach(self, layer: nn.Module) -> None:
        return

    def project_(self, layer: nn.Module) -> None:
        return


def project_(network: nn.Module) -> None:
    """Bring every constrained weight of ``network`` back into its set: call it after each optimiser step.

    Args:
        network: any module; layers without a constraint are left alone.
    """
    for module in network.modules():
        constraint = getattr(module, "constraint", None)
        if isinstance(constraint, Constraint):
            constraint.project_(module)


def weight_of(layer: nn.Module) -> Tensor:
    """``layer.weight``, which must be a tensor."""
    weight = layer.weight
    if not isinstance(weight, Tensor):
        raise TypeError(f"{type(layer).__name__}.weight must be a tensor; got {type(weight).__name__}")
    return weight

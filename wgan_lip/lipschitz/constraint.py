"""Constraints: small objects that keep the weight of an ordinary layer orthogonal."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize

from wgan_lip.lipschitz.bjorck import bjorck_orthonormalize, check_bjorck
from wgan_lip.stiefel import StiefelParameter, polar_factor


class Constraint(ABC):
    """How a layer's ``weight`` is held in its set.

    A constraint is attached once, when the layer is built. One that is held by a parametrisation
    needs nothing more; one that is held by a projection is restored after every optimiser step by
    :func:`project_`.
    """

    @abstractmethod
    def attach(self, layer: nn.Module) -> None:
        """Bring ``layer.weight`` into the set and register whatever keeps it there."""

    @abstractmethod
    def project_(self, layer: nn.Module) -> None:
        """Bring ``layer.weight`` back into the set, in place, after an optimiser's step."""


class _Parametrized(Constraint):
    """Held by a parametrisation in every forward pass: there is nothing to restore."""

    def project_(self, layer: nn.Module) -> None:
        return


class StiefelRetraction(Constraint):
    """The weight is a plain parameter on the Stiefel manifold, retracted after every step.

    The forward pass is that of an ordinary layer: nothing is differentiated through an
    orthogonalisation. The retraction is the polar factor (:func:`polar_factor`).
    """

    def attach(self, layer: nn.Module) -> None:
        layer.weight = StiefelParameter(polar_factor(_weight(layer)))

    def project_(self, layer: nn.Module) -> None:
        weight = _weight(layer)
        if isinstance(weight, StiefelParameter):
            # Nothing is done where the optimiser has just done it.
            weight.retract_()
        else:
            with torch.no_grad():
                weight.copy_(polar_factor(weight))


class Bjorck(_Parametrized):
    """The weight is ``bjorck_orthonormalize`` of a free parameter, differentiated through.

    Args:
        order: order of the Taylor polynomial, 1 to 4.
        iterations: iterations in every forward pass.
    """

    def __init__(self, order: int = 1, iterations: int = 20) -> None:
        check_bjorck(order, iterations)
        self.order = order
        self.iterations = iterations

    def attach(self, layer: nn.Module) -> None:
        parametrize.register_parametrization(layer, "weight", _BjorckMap(self.order, self.iterations))


class Cayley(_Parametrized):
    """The weight is the Cayley transform of a free skew-symmetric parameter (PyTorch's own)."""

    def attach(self, layer: nn.Module) -> None:
        parametrizations.orthogonal(layer, "weight", orthogonal_map="cayley")


def project_(network: nn.Module) -> None:
    """Bring every constrained weight of ``network`` back into its set: call it after each optimiser step.

    Args:
        network: any module; layers without a constraint are left alone.
    """
    for module in network.modules():
        constraint = getattr(module, "constraint", None)
        if isinstance(constraint, Constraint):
            constraint.project_(module)


class _BjorckMap(nn.Module):
    def __init__(self, order: int, iterations: int) -> None:
        super().__init__()
        self.order = order
        self.iterations = iterations

    def forward(self, weight: Tensor) -> Tensor:
        return bjorck_orthonormalize(weight, self.order, self.iterations)


def _weight(layer: nn.Module) -> Tensor:
    weight = layer.weight
    if not isinstance(weight, Tensor):
        raise TypeError(f"{type(layer).__name__}.weight must be a tensor; got {type(weight).__name__}")
    return weight

"""Constraints under which every singular value of the weight is 1."""

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize

from wgan_lip.dtypes import widened
from wgan_lip.lipschitz.constraints.bjorck import bjorck_orthonormalize, check_bjorck
from wgan_lip.lipschitz.constraints.constraint import Constraint, Parametrized, stored_weight, weight_of
from wgan_lip.stiefel import StiefelParameter, mark_orthogonal, polar_factor


class StiefelRetraction(Constraint):
    """The weight is a parameter on the Stiefel manifold, retracted after every step.

    The forward pass is that of an ordinary layer: nothing is differentiated through an
    orthogonalisation. The retraction is the polar factor (:func:`polar_factor`). The weight is marked, so that
    ``wgan_lip.optim`` moves it along the manifold.
    """

    guarantee = "orthogonal"

    def attach(self, layer: nn.Module) -> None:
        layer.weight = StiefelParameter(polar_factor(weight_of(layer)))

    def project_(self, layer: nn.Module) -> None:
        self.mark(layer)
        weight = stored_weight(layer)
        if isinstance(weight, StiefelParameter):
            # Nothing is done where the optimiser has just done it.
            weight.retract_()
        else:
            with torch.no_grad():
                weight.copy_(polar_factor(weight))

    def mark(self, layer: nn.Module) -> None:
        weight = layer._parameters.get("weight")
        if weight is not None:
            mark_orthogonal(weight)
        super().mark(layer)


class Bjorck(Parametrized):
    """The weight is ``bjorck_orthonormalize`` of a free parameter, differentiated through.

    Always 1-Lipschitz; orthogonal while the free parameter is well conditioned, for an iteration of order
    1 makes a small singular value grow by a factor of 1.5.

    Args:
        order: order of the Taylor polynomial, 1 to 4.
        iterations: iterations in every forward pass.
    """

    guarantee = "orthogonal"

    def __init__(self, order: int = 1, iterations: int = 20) -> None:
        check_bjorck(order, iterations)
        self.order = order
        self.iterations = iterations

    def attach(self, layer: nn.Module) -> None:
        parametrize.register_parametrization(layer, "weight", _BjorckMap(self.order, self.iterations))


class Cayley(Parametrized):
    """The weight is the Cayley transform of a free skew-symmetric parameter (PyTorch's own).

    Raises:
        ValueError: attached to a weight in half precision, in which PyTorch solves no equations, or without values.
    """

    guarantee = "orthogonal"

    def attach(self, layer: nn.Module) -> None:
        check_solvable(weight_of(layer))
        parametrizations.orthogonal(layer, "weight", orthogonal_map="cayley")


def check_solvable(weight: Tensor) -> None:
    """Raise ValueError unless PyTorch solves linear equations with a weight, as Cayley's transform does."""
    if weight.is_meta or weight.dtype != widened(weight.dtype):
        raise ValueError(
            "Cayley needs weights with values in float32 or float64, for PyTorch to solve equations; got "
            f"{'one on the meta device' if weight.is_meta else weight.dtype}"
        )


class _BjorckMap(nn.Module):
    def __init__(self, order: int, iterations: int) -> None:
        super().__init__()
        self.order = order
        self.iterations = iterations

    def forward(self, weight: Tensor) -> Tensor:
        return bjorck_orthonormalize(weight, self.order, self.iterations)

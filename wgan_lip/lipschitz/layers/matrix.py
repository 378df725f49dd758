"""A constrained matrix as a module of its own, for layers whose kernel is made of several."""

import torch
from torch import Tensor, nn

from wgan_lip.lipschitz.constraints.constraint import ConstrainedModule, Constraint, weight_of
from wgan_lip.lipschitz.constraints.initial import Initial, initialize_


class ConstrainedMatrix(ConstrainedModule):
    """A matrix of shape (m, n), held by a constraint; calling it gives the matrix.

    Args:
        rows: ``m``.
        columns: ``n``.
        constraint: how the matrix is held.
        initial: the matrix before the constraint is attached; see :class:`ConstrainedLinear`.
        generator: source of the initial matrix's randomness; torch's global one if None.
    """

    def __init__(
        self,
        rows: int,
        columns: int,
        constraint: Constraint,
        initial: Initial = "orthogonal",
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(rows, columns))
        initialize_(self.weight, initial, generator)
        self.hold(constraint)

    def forward(self) -> Tensor:
        return weight_of(self)

    def extra_repr(self) -> str:
        return f"{self.weight.shape[0]}, {self.weight.shape[1]}, {type(self.constraint).__name__}"

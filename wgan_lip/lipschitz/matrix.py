"""A constrained matrix as a module of its own, for layers whose kernel is made of several."""

import math
from typing import Literal

import torch
from torch import Tensor, nn

from wgan_lip.lipschitz.constraint import Constraint, weight_of


class ConstrainedMatrix(nn.Module):
    """A matrix of shape (m, n), held by a constraint; calling it gives the matrix.

    Args:
        rows: m.
        columns: n.
        constraint: how the matrix is held.
        initial: the matrix before the constraint is attached: "orthogonal", uniformly drawn (Haar), or "uniform",
            within ``1 / sqrt(columns)``.
        generator: source of the initial matrix's randomness; torch's global one if None.
    """

    def __init__(
        self,
        rows: int,
        columns: int,
        constraint: Constraint,
        initial: Literal["orthogonal", "uniform"] = "orthogonal",
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(rows, columns))
        if initial == "orthogonal":
            nn.init.orthogonal_(self.weight, generator=generator)
        else:
            limit = 1 / math.sqrt(columns)
            nn.init.uniform_(self.weight, -limit, limit, generator=generator)
        self.constraint = constraint
        constraint.attach(self)

    def forward(self) -> Tensor:
        return weight_of(self)

    def extra_repr(self) -> str:
        return f"{self.weight.shape[0]}, {self.weight.shape[1]}, {type(self.constraint).__name__}"

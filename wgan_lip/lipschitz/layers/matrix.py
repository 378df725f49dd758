"""A constrained matrix as a module, and the initial values of constrained matrices."""

import math
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from wgan_lip.dtypes import widened
from wgan_lip.lipschitz.constraints.constraint import ConstrainedModule, Constraint, weight_of

Initial = Literal["orthogonal", "uniform", "selection"]
# Entries of a selection that pick nothing are small but not 0, so that GroupSort does not compare equal numbers.
_NOISE = 1e-4


class ConstrainedMatrix(ConstrainedModule):
    """A matrix of shape (m, n) under a constraint; calling the module returns the matrix.

    Args:
        rows: ``m``.
        columns: ``n``.
        constraint: of the matrix.
        initial: the matrix before the constraint is attached (:func:`initialize_`).
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
        self.constrain(constraint)

    def forward(self) -> Tensor:
        return weight_of(self)

    def extra_repr(self) -> str:
        return f"{self.weight.shape[0]}, {self.weight.shape[1]}, {type(self.constraint).__name__}"


@torch.no_grad()
def initialize_(weight: Tensor, initial: Initial, generator: torch.Generator | None) -> None:
    """Fill a matrix with initial values, in place; on the meta device do nothing.

    Args:
        weight: shape (m, n).
        initial: "orthogonal", uniformly drawn (Haar); "uniform", PyTorch's own, within ``1 / sqrt(n)``; "selection",
            one entry of 1 or -1 in each row, in different columns while there are enough, and noise of 1e-4, so that
            each output is nearly one input.
        generator: source of the randomness; torch's global one if None.

    Raises:
        ValueError: an unknown ``initial``.
    """
    if initial not in get_args(Initial):
        raise ValueError(f"initial must be one of {', '.join(get_args(Initial))}; got initial={initial!r}")
    if weight.is_meta:
        return
    if weight.dtype != widened(weight.dtype):
        # Half precision has no QR decomposition, and few random numbers.
        wide = weight.to(widened(weight.dtype))
        initialize_(wide, initial, generator)
        weight.copy_(wide)
        return
    rows, columns = weight.shape
    if initial == "orthogonal":
        nn.init.orthogonal_(weight, generator=generator)
    elif initial == "uniform":
        limit = 1 / math.sqrt(columns)
        nn.init.uniform_(weight, -limit, limit, generator=generator)
    else:
        nn.init.normal_(weight, std=_NOISE, generator=generator)
        device = weight.device
        shuffles = [torch.randperm(columns, generator=generator, device=device) for _ in range(-(-rows // columns))]
        chosen = torch.cat(shuffles)[:rows, None]
        weight.scatter_(1, chosen, weight.gather(1, chosen).sign())

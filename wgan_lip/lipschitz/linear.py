"""Linear layers whose weight is held by a constraint."""

import math
from typing import Literal

import torch
from torch import nn

from wgan_lip.lipschitz.constraint import Constraint
from wgan_lip.lipschitz.orthogonal import StiefelRetraction


class ConstrainedLinear(nn.Linear):
    """``y = W x + b`` with W held by any constraint: what it is worth, ``constraint.guarantee`` and ``certify`` say.

    Args:
        in_features: size of each input.
        out_features: size of each output.
        constraint: how the weight is held.
        bias: learn an additive bias.
        initial: the weight before the constraint is attached: "orthogonal", uniformly drawn (Haar) with zero
            biases, or "uniform", PyTorch's own: weights and biases within ``1 / sqrt(in_features)``.
        generator: source of the initial weight's randomness; torch's global one if None.

    Shape:
        ``(..., in_features) -> (..., out_features)``.

    Raises:
        ValueError: a size below 1, or an unknown ``initial``.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        constraint: Constraint,
        bias: bool = True,
        initial: Literal["orthogonal", "uniform"] = "orthogonal",
        generator: torch.Generator | None = None,
    ) -> None:
        if in_features < 1 or out_features < 1:
            raise ValueError(
                f"{type(self).__name__} needs in_features >= 1 and out_features >= 1; "
                f"got in_features={in_features}, out_features={out_features}"
            )
        if initial not in ("orthogonal", "uniform"):
            raise ValueError(f"initial must be 'orthogonal' or 'uniform'; got initial={initial!r}")
        super().__init__(in_features, out_features, bias)
        if initial == "orthogonal":
            nn.init.orthogonal_(self.weight, generator=generator)
            if bias:
                nn.init.zeros_(self.bias)
        else:
            for parameter in self.parameters():
                limit = 1 / math.sqrt(in_features)
                nn.init.uniform_(parameter, -limit, limit, generator=generator)
        self.constraint = constraint
        constraint.attach(self)


class OrthogonalLinear(ConstrainedLinear):
    """``y = W x + b`` with every singular value of W equal to 1, so 1-Lipschitz in the l2 norm.

    For ``out_features >= in_features`` the layer preserves distances, otherwise it does so on the
    row space of W, and its backward pass preserves gradient norm. The weight starts at a uniformly
    drawn (Haar) orthogonal matrix; ``constraint`` keeps it on the Stiefel manifold.

    Args:
        in_features: size of each input.
        out_features: size of each output.
        bias: learn an additive bias.
        constraint: how the weight is held; by default retracted after each optimiser step, which
            :func:`wgan_lip.lipschitz.project_` does. Its guarantee must be "orthogonal".
        generator: source of the initial weight's randomness; torch's global one if None.

    Shape:
        ``(..., in_features) -> (..., out_features)``.

    Raises:
        ValueError: a size below 1, or a constraint that does not keep weights orthogonal.

    Source:
        Anil, Lucas, Grosse, "Sorting out Lipschitz function approximation", ICML 2019, section 4.2.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        constraint: Constraint | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        constraint = constraint if constraint is not None else StiefelRetraction()
        if constraint.guarantee != "orthogonal":
            raise ValueError(
                f"OrthogonalLinear needs a constraint that keeps weights orthogonal; got {type(constraint).__name__}, "
                f"whose guarantee is '{constraint.guarantee}': use ConstrainedLinear"
            )
        super().__init__(in_features, out_features, constraint, bias, generator=generator)

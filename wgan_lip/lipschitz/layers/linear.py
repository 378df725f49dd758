"""Matrices and linear layers whose weight is under a constraint, and the initial values of such weights."""

import math
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from wgan_lip.dtypes import widened
from wgan_lip.lipschitz.constraints.constraint import ConstrainedModule, Constraint, weight_of
from wgan_lip.lipschitz.constraints.norms import LInfNormalization
from wgan_lip.lipschitz.constraints.orthogonal import StiefelRetraction

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


class ConstrainedLinear(ConstrainedModule, nn.Linear):
    """``y = W x + b`` with W under any constraint, whose guarantee is ``constraint.guarantee``.

    Args:
        in_features: size of each input.
        out_features: size of each output.
        constraint: of the weight.
        bias: learn an additive bias.
        initial: the weight before the constraint is attached: "orthogonal", uniformly drawn (Haar), with zero biases;
            "uniform", PyTorch's own: weights and biases within ``1 / sqrt(in_features)``; or "selection", rows that
            pick one input each (:func:`wgan_lip.lipschitz.layers.linear.initialize_`), with zero biases.
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
        initial: Initial = "orthogonal",
        generator: torch.Generator | None = None,
    ) -> None:
        if in_features < 1 or out_features < 1:
            raise ValueError(
                f"{type(self).__name__} needs in_features >= 1 and out_features >= 1; "
                f"got in_features={in_features}, out_features={out_features}"
            )
        super().__init__(in_features, out_features, bias)
        initialize_(self.weight, initial, generator)
        if bias and initial == "uniform":
            limit = 1 / math.sqrt(in_features)
            nn.init.uniform_(self.bias, -limit, limit, generator=generator)
        elif bias:
            nn.init.zeros_(self.bias)
        self.constrain(constraint)


class OrthogonalLinear(ConstrainedLinear):
    """``y = W x + b`` with every singular value of W equal to 1, so 1-Lipschitz in the l2 norm.

    For ``out_features >= in_features`` the layer preserves distances, otherwise it does so on the
    row space of W, and its backward pass preserves gradient norm. The weight starts at a uniformly
    drawn (Haar) orthogonal matrix; ``constraint`` keeps it on the Stiefel manifold.

    Args:
        in_features: size of each input.
        out_features: size of each output.
        bias: learn an additive bias.
        constraint: of the weight; by default it is retracted after each optimiser step, by
            :func:`wgan_lip.lipschitz.project_`. Its guarantee must be "orthogonal".
        generator: source of the initial weight's randomness; torch's global one if None.

    Shape:
        ``(..., in_features) -> (..., out_features)``.

    Raises:
        ValueError: a size below 1, or a constraint that does not keep weights orthogonal.

    Source:
        Anil, Lucas, Grosse, "Sorting out Lipschitz function approximation", ICML 2019, section 4.2.

    Example:
        >>> layer = OrthogonalLinear(3, 2)
        >>> torch.allclose(layer.weight @ layer.weight.T, torch.eye(2), atol=1e-6)
        True
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


class LInfLinear(ConstrainedLinear):
    """``y = W x + b`` with rows of l_1 norm at most 1, so 1-Lipschitz in the l_inf norm.

    The initial weight is a selection: each row picks one input (see ``initial`` of :class:`ConstrainedLinear`). A dense
    matrix of small entries would compute averages of many inputs, which are nearly constant, and a deep network of such
    layers does not learn.

    Args:
        in_features: size of each input.
        out_features: size of each output.
        bias: learn an additive bias.
        constraint: of the weight, with a guarantee in l_inf: by default every row is divided by its norm
            (``LInfNormalization``); ``LInfProjection`` projects rows after each step.
        generator: source of the initial weight's randomness; torch's global one if None.

    Shape:
        ``(..., in_features) -> (..., out_features)``.

    Raises:
        ValueError: a size below 1, or a constraint without a guarantee in l_inf.

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
        constraint = constraint if constraint is not None else LInfNormalization()
        check_l_infinity(type(self).__name__, constraint)
        super().__init__(in_features, out_features, constraint, bias, "selection", generator)


def check_l_infinity(name: str, constraint: Constraint) -> None:
    """Raise ValueError unless a constraint makes matrices 1-Lipschitz in l_inf.

    Args:
        name: the layer's class, for the error message.
        constraint: of the layer.
    """
    if constraint.guarantee == "none" or constraint.norm != "linf":
        raise ValueError(
            f"{name} needs a constraint with a guarantee in l_inf, LInfNormalization or LInfProjection; got "
            f"{type(constraint).__name__}"
        )

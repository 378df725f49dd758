"""Linear layers with orthogonal weights."""

import torch
from torch import nn

from wgan_lip.lipschitz.constraint import Constraint, StiefelRetraction


class OrthogonalLinear(nn.Linear):
    """``y = W x + b`` with every singular value of W equal to 1, so 1-Lipschitz in the l2 norm.

    For ``out_features >= in_features`` the layer preserves distances, otherwise it does so on the
    row space of W, and its backward pass preserves gradient norm. The weight starts at a uniformly
    drawn (Haar) orthogonal matrix; ``constraint`` keeps it on the Stiefel manifold.

    Args:
        in_features: size of each input.
        out_features: size of each output.
        bias: learn an additive bias.
        constraint: how the weight is held; by default retracted after each optimiser step, which
            :func:`wgan_lip.lipschitz.project_` does.
        generator: source of the initial weight's randomness; torch's global one if None.

    Shape:
        ``(..., in_features) -> (..., out_features)``.

    Raises:
        ValueError: a size below 1.

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
        if in_features < 1 or out_features < 1:
            raise ValueError(
                "OrthogonalLinear needs in_features >= 1 and out_features >= 1; "
                f"got in_features={in_features}, out_features={out_features}"
            )
        super().__init__(in_features, out_features, bias)
        nn.init.orthogonal_(self.weight, generator=generator)
        if bias:
            nn.init.zeros_(self.bias)
        self.constraint = constraint if constraint is not None else StiefelRetraction()
        self.constraint.attach(self)

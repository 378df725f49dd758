"""Every layer and activation, registered once: each invariant in test_layers.py and test_activations.py runs on it."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from torch import nn

from wgan_lip.lipschitz import (
    Abs,
    Bjorck,
    Cayley,
    ConstrainedLinear,
    Constraint,
    FullSort,
    GroupSort,
    Householder,
    LInfNormalization,
    LInfProjection,
    MaxMin,
    Maxout,
    Parseval,
    SpectralNorm,
    SpectralProjection,
    StiefelRetraction,
    Unconstrained,
    WeightClipping,
)

SHAPES = {"tall": (7, 19), "wide": (19, 7), "square": (16, 16), "row": (33, 1), "column": (1, 12), "one": (1, 1)}
CONSTRAINTS: dict[str, Callable[[], Constraint]] = {
    "stiefel": StiefelRetraction,
    "cayley": Cayley,
    "bjorck1": lambda: Bjorck(order=1, iterations=30),
    "bjorck2": lambda: Bjorck(order=2, iterations=20),
    "bjorck3": lambda: Bjorck(order=3, iterations=20),
    "bjorck4": lambda: Bjorck(order=4, iterations=20),
    "spectral-projection": SpectralProjection,
    "spectral-norm": SpectralNorm,
    "parseval": Parseval,
    "l-infinity": LInfProjection,
    "l-infinity-normalised": LInfNormalization,
    "clipping": lambda: WeightClipping(0.5),
    "unconstrained": Unconstrained,
}


@dataclass(frozen=True)
class LayerCase:
    """How to build one constrained layer."""

    constraint: str
    shape: str
    dtype: torch.dtype

    def build(self, seed: int = 0) -> ConstrainedLinear:
        """A fresh layer, in its dtype from the start: a cast layer is orthogonal to its old precision only."""
        generator = torch.Generator().manual_seed(seed)
        before = torch.get_default_dtype()
        torch.set_default_dtype(self.dtype)
        try:
            return ConstrainedLinear(*SHAPES[self.shape], CONSTRAINTS[self.constraint](), generator=generator)
        finally:
            torch.set_default_dtype(before)

    @property
    def guarantee(self) -> str:
        return CONSTRAINTS[self.constraint]().guarantee

    @property
    def norm(self) -> str:
        return CONSTRAINTS[self.constraint]().norm

    @property
    def tolerance(self) -> float:
        """Rounding in products of this size, and in the chain of them that holds the constraint."""
        return 100 * max(SHAPES[self.shape]) * torch.finfo(self.dtype).eps


LAYERS = [
    pytest.param(LayerCase(constraint, shape, dtype), id=f"{constraint}-{shape}-{str(dtype).removeprefix('torch.')}")
    for constraint in CONSTRAINTS
    for dtype, shapes in ((torch.float32, list(SHAPES)), (torch.float64, ["tall", "wide"]))
    # The higher orders differ from the first in one loop only.
    for shape in (["tall", "wide"] if constraint in ("bjorck2", "bjorck3") else shapes)
]


@dataclass(frozen=True)
class ActivationCase:
    """How to build one activation, and what is claimed of it.

    Attributes:
        build: makes the activation for a number of channels.
        gradients: "all": the Jacobian is orthogonal wherever it exists; "some": its rows are orthonormal (fewer
            channels out than in); "none": gradients may shrink.
        norms: the p of the l_p norms in which it is 1-Lipschitz.
        bound: its Lipschitz constant in l2.
    """

    build: Callable[[int], nn.Module]
    gradients: str
    norms: tuple[float, ...] = (1, 2, float("inf"))
    bound: float = 1.0


def turned(channels: int) -> Householder:
    """A Householder activation whose angles differ."""
    activation = Householder(channels)
    with torch.no_grad():
        activation.theta.copy_(torch.linspace(-7, 7, channels // 2))
    return activation


# Each acts on any number of channels that 12 divides.
ACTIVATION_CASES = {
    "maxmin": ActivationCase(lambda channels: MaxMin(), "all"),
    **{f"groupsort{k}": ActivationCase(lambda channels, k=k: GroupSort(k), "all") for k in (1, 3, 4, 12)},
    "fullsort": ActivationCase(lambda channels: FullSort(), "all"),
    "abs": ActivationCase(lambda channels: Abs(), "all"),
    "householder": ActivationCase(Householder, "all", norms=(2,)),
    "householder-turned": ActivationCase(turned, "all", norms=(2,)),
    "maxout2": ActivationCase(lambda channels: Maxout(2), "some"),
    "maxout4": ActivationCase(lambda channels: Maxout(4), "some"),
    "relu": ActivationCase(lambda channels: nn.ReLU(), "none"),
    "leaky-relu": ActivationCase(lambda channels: nn.LeakyReLU(-0.3), "none"),
    "tanh": ActivationCase(lambda channels: nn.Tanh(), "none"),
    "sigmoid": ActivationCase(lambda channels: nn.Sigmoid(), "none", bound=0.25),
}
ACTIVATIONS = [pytest.param(case, id=name) for name, case in ACTIVATION_CASES.items()]

"""Every orthogonal layer, registered once: each invariant in test_layers.py runs on each of them."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch

from wgan_lip.lipschitz import Bjorck, Cayley, Constraint, OrthogonalLinear

SHAPES = {"tall": (7, 19), "wide": (19, 7), "square": (16, 16), "row": (33, 1), "column": (1, 12), "one": (1, 1)}
CONSTRAINTS: dict[str, Callable[[], Constraint | None]] = {
    "default": lambda: None,
    "cayley": Cayley,
    "bjorck1": lambda: Bjorck(order=1, iterations=30),
    "bjorck2": lambda: Bjorck(order=2, iterations=20),
    "bjorck3": lambda: Bjorck(order=3, iterations=20),
    "bjorck4": lambda: Bjorck(order=4, iterations=20),
}


@dataclass(frozen=True)
class LayerCase:
    """How to build one orthogonal layer."""

    constraint: str
    shape: str
    dtype: torch.dtype

    def build(self, seed: int = 0) -> OrthogonalLinear:
        """A fresh layer, in its dtype from the start: a cast layer is orthogonal to its old precision only."""
        generator = torch.Generator().manual_seed(seed)
        before = torch.get_default_dtype()
        torch.set_default_dtype(self.dtype)
        try:
            constraint = CONSTRAINTS[self.constraint]()
            return OrthogonalLinear(*SHAPES[self.shape], constraint=constraint, generator=generator)
        finally:
            torch.set_default_dtype(before)

    @property
    def tolerance(self) -> float:
        """Rounding in products of this size, and in the chain of them that holds the constraint."""
        return 100 * max(SHAPES[self.shape]) * torch.finfo(self.dtype).eps


LAYERS = [
    pytest.param(LayerCase(constraint, shape, dtype), id=f"{constraint}-{shape}-{str(dtype).removeprefix('torch.')}")
    for constraint in CONSTRAINTS
    for shape in SHAPES
    for dtype in (torch.float32, torch.float64)
]

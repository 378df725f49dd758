"""The mark of an orthogonal weight."""

from typing import Any, SupportsIndex

import torch
from torch import Tensor, nn

from wgan_lip.stiefel.polar import polar_factor


class StiefelParameter(nn.Parameter):
    """An orthogonal weight: a parameter that optimisers of ``wgan_lip.optim`` move along the manifold.

    An ordinary optimiser moves it off the manifold; ``lipschitz.project_`` brings it back. The class
    survives deep copies, pickling and casts of its module, as an attribute of a parameter would not.
    """

    manifold = "stiefel"
    # Note [known to be orthogonal]: a copy of the weight as it was when last orthogonal. The tensor's version counter
    # would be cheaper, but writes through ``.data`` and by PyTorch's fused optimisers leave it as it was.
    _orthogonal: Tensor | None = None

    @property
    def is_retracted(self) -> bool:
        """Whether it is what it was after the last ``retract_`` or ``mark_retracted``."""
        known = self._orthogonal
        if known is None or known.dtype != self.dtype or known.device != self.device:
            return False
        return torch.equal(known, self)

    def mark_retracted(self) -> None:
        """Say that the weight is orthogonal to the precision of its dtype."""
        self._orthogonal = self.detach().clone()

    @torch.no_grad()
    def retract_(self) -> None:
        """Replace the weight by its polar factor, if it has changed since it was last retracted."""
        if not self.is_retracted:
            self.copy_(polar_factor(self))
            self.mark_retracted()

    def __reduce_ex__(self, protocol: SupportsIndex) -> tuple[Any, ...]:
        return type(self), (self.data, self.requires_grad)

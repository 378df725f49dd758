"""The mark of an orthogonal weight."""

from typing import Any

import torch
from torch import Tensor, nn

from wgan_lip.stiefel.polar import polar_factor


class StiefelParameter(nn.Parameter):
    """An orthogonal weight: a parameter that optimisers of ``wgan_lip.optim`` move along the manifold.

    An ordinary optimiser moves it off the manifold; ``lipschitz.project_`` brings it back. The class
    survives a copy or a pickle of its module, as an attribute of a parameter would not.
    """

    manifold = "stiefel"
    # The tensor's version when it was last known to be orthogonal; every write in place makes a new one.
    _retracted_at: int = -1

    @property
    def is_retracted(self) -> bool:
        """Whether nothing was written to it in place since ``retract_`` or ``mark_retracted``."""
        return self._retracted_at == self._version

    def mark_retracted(self) -> None:
        """Say that the weight is orthogonal to the precision of its dtype."""
        self._retracted_at = self._version

    @torch.no_grad()
    def retract_(self) -> None:
        """Replace the weight by its polar factor, if it was written to since it was last retracted."""
        if not self.is_retracted:
            self.copy_(polar_factor(self))
            self.mark_retracted()

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        return _rebuilt, (self.data, self.requires_grad)


def _rebuilt(data: Tensor, requires_grad: bool) -> StiefelParameter:
    return StiefelParameter(data, requires_grad)

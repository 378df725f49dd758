"""The marks of orthogonal and of free parameters, which optimisers read."""

from typing import Any, SupportsIndex

import torch
from torch import Tensor, nn

from wgan_lip.stiefel.polar import polar_factor


class StiefelParameter(nn.Parameter):
    """An orthogonal weight: a parameter that optimisers of ``wgan_lip.optim`` move along the manifold.

    An ordinary optimiser moves it off the manifold; ``lipschitz.project_`` brings it back. Unlike an attribute of a
    parameter, the class survives deep copies, pickling and most casts of its module; where a parameter is replaced by
    another one, its layer marks the new one (:func:`mark_orthogonal`).
    """

    manifold: str | None = "stiefel"
    # Note [known to be orthogonal]: a copy of the weight at its last retraction, so that ``project_`` after a step of
    # ``wgan_lip.optim`` need not repeat it. For 1024 x 1024, comparing costs 1 % of a step of StiefelMuon, the Gram
    # matrix 11 % and the polar factor 33 %. The tensor's version counter needs no copy, but misses writes through
    # ``.data`` and by PyTorch's fused optimisers.
    _orthogonal: Tensor | None = None

    @property
    def is_retracted(self) -> bool:
        """True if the weight is unchanged since the last ``retract_`` or ``mark_retracted``."""
        known = self._orthogonal
        if known is None or known.dtype != self.dtype or known.device != self.device or self.is_meta:
            return False
        return torch.equal(known, self)

    def mark_retracted(self) -> None:
        """Record that the weight is orthogonal to the precision of its dtype."""
        self._orthogonal = self.detach().clone()

    @torch.no_grad()
    def retract_(self) -> None:
        """Replace the weight by its polar factor, if it has changed since it was last retracted."""
        if not self.is_retracted:
            self.copy_(polar_factor(self))
            self.mark_retracted()

    def __reduce_ex__(self, protocol: SupportsIndex) -> tuple[Any, ...]:
        return type(self), (self.data, self.requires_grad)


def mark_orthogonal(weight: Tensor) -> None:
    """Mark a weight, in place, as one that optimisers of ``wgan_lip.optim`` move along the manifold.

    A plain parameter becomes a :class:`StiefelParameter`; any tensor gets the attribute ``manifold``.

    Args:
        weight: the weight of an orthogonal layer, a tensor of any class.
    """
    if type(weight) is nn.Parameter:
        weight.__class__ = StiefelParameter
    weight.manifold = StiefelParameter.manifold  # type: ignore[attr-defined]


def mark_free(parameter: Tensor) -> None:
    """Mark a parameter, in place, as one that may leave the manifold, unless it is marked as orthogonal.

    Args:
        parameter: of a layer that is not orthogonal, or whose weight is computed from it.
    """
    if getattr(parameter, "manifold", None) is None:
        parameter.manifold = None  # type: ignore[attr-defined]


# Files of parameters can be read with torch.load's weights_only=True, its default.
torch.serialization.add_safe_globals([StiefelParameter])

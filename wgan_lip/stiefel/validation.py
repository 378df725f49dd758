"""Whether a weight lies on the Stiefel manifold."""

import torch
from torch import Tensor


def orthogonality_error(weight: Tensor) -> float:
    """``max |G - I|`` over the entries of the smaller Gram matrix ``G``, computed in float64.

    Args:
        weight: a matrix of shape (m, n); ``G = W W^T`` if m <= n, else ``W^T W``.

    Raises:
        ValueError: ``weight`` is not a matrix with at least one entry.
    """
    weight = matrix(weight.detach()).double()
    gram = weight @ weight.mT if weight.shape[0] <= weight.shape[1] else weight.mT @ weight
    return float((gram - torch.eye(len(gram), dtype=gram.dtype, device=gram.device)).abs().max())


def on_manifold(weight: Tensor) -> bool:
    """Whether ``weight`` is orthogonal to the precision of its own dtype.

    The tolerance ``10 * max(m, n) * eps(dtype)`` is what rounding in a product of that size allows.

    Args:
        weight: a matrix of shape (m, n).
    """
    tolerance = 10 * max(weight.shape) * torch.finfo(weight.dtype).eps
    return orthogonality_error(weight) <= tolerance


def matrix(weight: Tensor) -> Tensor:
    """``weight`` itself, or ValueError if it is no matrix."""
    if weight.ndim != 2 or weight.numel() == 0:
        raise ValueError(f"weight must be a matrix with at least one entry; got shape {tuple(weight.shape)}")
    return weight

"""The Stiefel manifold: matrices whose singular values are all 1."""

import math
from typing import Any, SupportsIndex

import torch
from torch import Tensor, nn


def orthogonality_error(weight: Tensor) -> float:
    """``max |G - I|`` over the entries of the smaller Gram matrix ``G``, computed in float64.

    Args:
        weight: a matrix of shape (m, n); ``G = W W^T`` if m <= n, else ``W^T W``.
    """
    weight = _matrix(weight.detach()).double()
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


@torch.no_grad()
def polar_factor(weight: Tensor) -> Tensor:
    """The nearest orthogonal matrix, ``U V^T`` for ``W = U S V^T``: the retraction onto Stiefel.

    Newton-Schulz iterations ``W <- W (I + Q/2 + 3 Q^2 / 8)``, ``Q = I - W^T W``, whose error
    ``|Q|`` shrinks cubically; the last one leaves out the Q^2 where that changes nothing. They
    converge from any W with ``|W|_2 <= 1``. A W that is orthogonal to rounding is returned as it is; one that
    is further from the manifold than ``|Q|_2 < 1`` is first divided by a proven bound of its spectral norm;
    one that still has not converged (nearly singular) is decomposed by an SVD in float64.

    Args:
        weight: a matrix of shape (m, n), or a stack of them (b, m, n), of any floating dtype.

    Returns:
        A tensor of the same shape and dtype, each matrix orthogonal to the precision of the dtype.

    Raises:
        ValueError: ``weight`` is not a matrix or a stack, or holds NaN or infinity.

    Source:
        Bjorck, Bowie, "An iterative algorithm for computing the best estimate of an orthogonal
        matrix", SIAM J. Numer. Anal. 8, 1971, equation (2.4) with p = 1 and 2; Higham, "Functions of
        Matrices", 2008, section 8.3.
    """
    if weight.ndim != 3:
        weight = _matrix(weight)
    work = weight.float() if weight.dtype in (torch.float16, torch.bfloat16) else weight
    tall = work.shape[-2] >= work.shape[-1]
    w = work if tall else work.mT
    # The errors that one more update takes to rounding: cubically, or quadratically without Q^2.
    eps = torch.finfo(w.dtype).eps
    enough, nearly, done = eps ** (1 / 3), math.sqrt(eps), 3 * math.sqrt(w.shape[-1]) * eps
    for iteration in range(20):
        q = _defect(w)
        error = _norm_bound(q)
        if iteration == 0 and not error < 1:
            # Far from the manifold, or its squares over- or underflow.
            w = _shrunk(w)
            q = _defect(w)
        if iteration == 0 and error < done:
            # As near as rounding allows: not changed, so that a polar factor is its own.
            return weight
        if error < nearly:
            return _oriented(torch.add(w, w @ q, alpha=0.5), tall, weight)
        update = torch.add(0.5 * q, q @ q, alpha=0.375)
        w = w + w @ update
        if error < enough:
            return _oriented(w, tall, weight)
    u, _, vt = torch.linalg.svd(work.double(), full_matrices=False)
    return (u @ vt).to(weight.dtype)


def _oriented(w: Tensor, tall: bool, like: Tensor) -> Tensor:
    return (w if tall else w.mT).to(like.dtype)


def _defect(w: Tensor) -> Tensor:
    """``Q = I - W^T W`` of tall matrices."""
    q = -(w.mT @ w)
    q.diagonal(dim1=-2, dim2=-1).add_(1)
    return q


def _norm_bound(q: Tensor) -> float:
    """A bound of the largest spectral norm of symmetric ``q``: Frobenius or row sums, whichever is smaller."""
    frobenius = torch.linalg.matrix_norm(q)
    return float(torch.minimum(frobenius, q.abs().sum(-1).amax(-1)).max())


def _shrunk(w: Tensor) -> Tensor:
    """Positive multiples of tall matrices ``w`` whose spectral norms are at most 1, to rounding."""
    largest = w.abs().amax((-2, -1), keepdim=True)
    if not bool(torch.isfinite(largest).all()):
        raise ValueError(
            f"weight of shape {tuple(w.shape)} holds NaN or infinity: "
            "the optimiser's step diverged (lower its learning rate) or the data are not finite"
        )
    # First by a power of two, so that the squares are of order 1.
    w = torch.ldexp(w, -torch.frexp(largest).exponent)
    norms = torch.linalg.matrix_norm(w.mT @ w, ord=float("inf"), keepdim=True).sqrt()
    return w / torch.where(norms > 0, norms, torch.ones_like(norms))


def _matrix(weight: Tensor) -> Tensor:
    if weight.ndim != 2 or weight.numel() == 0:
        raise ValueError(f"weight must be a matrix with at least one entry; got shape {tuple(weight.shape)}")
    return weight


class StiefelParameter(nn.Parameter):
    """An orthogonal weight: a parameter that optimisers of ``wgan_lip.optim`` move along the manifold.

    An ordinary optimiser moves it off the manifold; ``lipschitz.project_`` brings it back. The class
    survives deep copies, pickling and casts of its module, as an attribute of a parameter would not.
    """

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

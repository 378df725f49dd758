"""The retraction onto the Stiefel manifold."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from wgan_lip.stiefel.precision import fast_dtype, full_precision
from wgan_lip.stiefel.validation import matrix

# A correction of at most half this size, multiplied in bfloat16, is off by 3e-6: by 2^-9 for each of its two factors
# and for the product. Measured it is a tenth of that, the roundings being independent.
_SMALL = 2e-3


@torch.no_grad()
def polar_factor(weight: Tensor) -> Tensor:
    """The nearest orthogonal matrix, ``U V^T`` for ``W = U S V^T``: the retraction onto Stiefel.

    Newton-Schulz updates (:func:`polar_update`), whose error ``|I - W^T W|`` shrinks cubically. They converge from any
    W with ``|W|_2 <= 1``. A W that is orthogonal to rounding is returned as it is; one that is further from the
    manifold than ``|I - W^T W| < 1`` is first divided by a proven bound of its spectral norm; one that still has not
    converged (nearly singular) is decomposed by an SVD in float64. On the meta device there are no values to change.

    Args:
        weight: a matrix of shape (m, n), or a stack of them (b, m, n), of any floating dtype.

    Returns:
        A tensor of the same shape and dtype, each matrix orthogonal to the precision of the dtype.

    Raises:
        ValueError: ``weight`` is not a matrix or a stack, or holds NaN or infinity.

    Source:
        Bjorck, Bowie, "An iterative algorithm for computing the best estimate of an orthogonal
        matrix", SIAM J. Numer. Anal. 8, 1971, equation (2.4) with p = 2; Higham, "Functions of
        Matrices", 2008, section 8.3.
    """
    work = weight if weight.ndim == 3 else matrix(weight)[None]
    if weight.is_meta:
        return weight
    if weight.dtype in (torch.float16, torch.bfloat16):
        work = work.float()
    done = 3 * math.sqrt(min(work.shape[-2:])) * torch.finfo(work.dtype).eps
    w = work
    for iteration in range(20):
        step = polar_update(w)
        defect = float(step.defect.max())
        if iteration == 0 and defect + float((step.mean - 1).abs().max()) < done:
            # As near as rounding allows: not changed, so that a polar factor is its own.
            return weight
        if iteration == 0 and not defect < 1:
            # Far from the manifold, or its squares over- or underflow.
            w = _shrunk(w)
        else:
            w = step.updated
            if converged(defect, w.dtype):
                return w.view(weight.shape).to(weight.dtype)
    u, _, vt = torch.linalg.svd(work.double(), full_matrices=False)
    return (u @ vt).view(weight.shape).to(weight.dtype)


@dataclass(frozen=True)
class PolarUpdate:
    """One update towards the polar factors of a stack of matrices W.

    Attributes:
        updated: the new matrices, of the shape of the old.
        defect: at least ``|Q|_2`` of each W before the update, shape (b,).
        mean: of the squares of the singular values of each W before the update, shape (b, 1, 1).
    """

    updated: Tensor
    defect: Tensor
    mean: Tensor


def polar_update(weight: Tensor) -> PolarUpdate:
    """``(I + Q/2 + 3 Q^2 / 8) W'`` with ``W' = W / c``, ``Q = I - W' W'^T`` and ``c^2 = |W|_F^2 / m``, for wide W.

    Of tall W the transposes. ``|Q|_2 <= |Q^2|_F^(1/2)``; that of the updated matrix is at most ``5/8 |Q|_2^3`` for
    ``|Q|_2 < 1/2``, up to rounding. Q is as precise as the weight's dtype allows; what a coarser product of it
    suffices for is done in bfloat16.

    Args:
        weight: matrices of shape (b, m, n), in float32 or float64.
    """
    if weight.shape[-2] > weight.shape[-1]:
        step = polar_update(weight.mT)
        return PolarUpdate(step.updated.mT, step.defect, step.mean)
    fast = fast_dtype(weight)
    with full_precision(weight.device):
        q = weight @ weight.mT
        diagonal = q.diagonal(dim1=-2, dim2=-1)
        mean = diagonal.mean(-1)[:, None, None]
        q.div_(-mean)
        diagonal.add_(1)
        coarse = q.to(fast)
        square = coarse @ coarse
        defect = torch.linalg.matrix_norm(square.to(q.dtype)).sqrt()
        centred = weight * mean.rsqrt()
        if fast != q.dtype and float(defect.max()) < _SMALL:
            correction = square.mul_(0.375).add_(coarse, alpha=0.5) @ centred.to(fast)
            return PolarUpdate(centred.add_(correction.to(q.dtype)), defect, mean)
        correction = q.mul_(0.5).add_(square, alpha=0.375)
        return PolarUpdate(torch.baddbmm(centred, correction, centred), defect, mean)


def converged(defect: float, dtype: torch.dtype) -> bool:
    """Whether an update of matrices of this ``defect`` leaves singular values 1 to a few roundings."""
    return defect**3 * 5 / 16 < 4 * torch.finfo(dtype).eps


def _shrunk(w: Tensor) -> Tensor:
    """Positive multiples of matrices ``w`` whose spectral norms are at most 1, to rounding."""
    largest = w.abs().amax((-2, -1), keepdim=True)
    if not bool(torch.isfinite(largest).all()):
        raise ValueError(
            f"weight of shape {tuple(w.shape[1:])} holds NaN or infinity: "
            "the optimiser's step diverged (lower its learning rate) or the data are not finite"
        )
    # First by a power of two, so that the squares are of order 1.
    w = torch.ldexp(w, -torch.frexp(largest).exponent)
    gram = w.mT @ w if w.shape[-2] >= w.shape[-1] else w @ w.mT
    norms = torch.linalg.matrix_norm(gram, ord=float("inf"), keepdim=True).sqrt()
    return w / torch.where(norms > 0, norms, torch.ones_like(norms))

"""The Stiefel manifold: matrices whose singular values are all 1."""

import math

import torch
from torch import Tensor


def orthogonality_error(weight: Tensor) -> float:
    """``max |G - I|`` over the entries of the smaller Gram matrix ``G``, computed in float64.

    Args:
        weight: a matrix of shape (m, n); ``G = W W^T`` if m <= n, else ``W^T W``.
    """
    gram = _gram(_matrix(weight.detach()).double())
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
    ``|Q|`` shrinks cubically. They converge from any W with ``|W|_2 <= 1``; a W that is further
    from the manifold than ``|Q|_F = 1`` is first divided by a proven bound of its spectral norm,
    and one that still has not converged (nearly singular) is decomposed by an SVD in float64.

    Args:
        weight: a matrix of shape (m, n), of any floating dtype.

    Returns:
        A matrix of the same shape and dtype, orthogonal to the precision of the dtype.

    Raises:
        ValueError: ``weight`` is not a matrix, or holds NaN or infinity.

    Source:
        Bjorck, Bowie, "An iterative algorithm for computing the best estimate of an orthogonal
        matrix", SIAM J. Numer. Anal. 8, 1971, equation (2.4) with p = 2; Higham, "Functions of
        Matrices", 2008, section 8.3.
    """
    weight = _matrix(weight)
    work = weight.float() if weight.dtype in (torch.float16, torch.bfloat16) else weight
    tall = work.shape[0] >= work.shape[1]
    w = work if tall else work.mT
    eye = torch.eye(w.shape[1], dtype=w.dtype, device=w.device)
    # One more update takes an error below eps^(1/3) to rounding.
    enough = torch.finfo(w.dtype).eps ** (1 / 3)
    for iteration in range(20):
        gram = w.mT @ w
        error = float(torch.linalg.matrix_norm(eye - gram))
        if iteration == 0 and not error < 1:
            # Far from the manifold, or its squares over- or underflow.
            w = _shrunk(w)
            gram = w.mT @ w
        q = eye - gram
        w = w @ torch.addmm(eye + 0.5 * q, q, q, alpha=0.375)
        if error < enough:
            return (w if tall else w.mT).to(weight.dtype)
    u, _, vt = torch.linalg.svd(work.double(), full_matrices=False)
    return (u @ vt).to(weight.dtype)


def _shrunk(w: Tensor) -> Tensor:
    """A positive multiple of a tall ``w`` whose spectral norm is at most 1, to rounding."""
    largest = float(w.abs().max())
    if not math.isfinite(largest):
        raise ValueError(
            f"weight of shape {tuple(w.shape)} holds NaN or infinity: "
            "the optimiser's step diverged (lower its learning rate) or the data are not finite"
        )
    if largest == 0:
        return w
    # First by a power of two, so that the squares are of order 1.
    w = torch.ldexp(w, torch.tensor(-math.frexp(largest)[1], device=w.device))
    return w / torch.linalg.matrix_norm(w.mT @ w, ord=float("inf")).sqrt()


def _gram(weight: Tensor) -> Tensor:
    """The smaller of ``W W^T`` and ``W^T W``."""
    return weight @ weight.mT if weight.shape[0] <= weight.shape[1] else weight.mT @ weight


def _matrix(weight: Tensor) -> Tensor:
    if weight.ndim != 2 or weight.numel() == 0:
        raise ValueError(f"weight must be a matrix with at least one entry; got shape {tuple(weight.shape)}")
    return weight

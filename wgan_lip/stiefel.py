"""The Stiefel manifold, whose matrices have singular values of 1: the retraction, and the marks of parameters on it."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, SupportsIndex

import torch
from torch import Tensor, nn

# A correction of at most half this size, multiplied in bfloat16, has an error of 3e-6: 2^-9 for each of its two factors
# and for the product. The measured error is a tenth of that, since the roundings are independent.
_SMALL = 2e-3
# For matrices smaller than this, the conversion to bfloat16 costs more than its faster products save.
_SMALLEST = 128


@torch.no_grad()
def polar_factor(weight: Tensor) -> Tensor:
    """Compute the nearest orthogonal matrix, ``U V^T`` for ``W = U S V^T``: the retraction onto the manifold.

    By Newton-Schulz updates (:func:`polar_update`), whose error ``|I - W^T W|`` shrinks cubically. They converge from
    any W with ``|W|_2 <= 1``. A W that is orthogonal to rounding is returned as it is; unless ``|I - W^T W| < 1`` it is
    first divided by a proven bound of its spectral norm; if 20 updates do not converge (a nearly singular W), an SVD in
    float64 is used. A weight on the meta device is returned as it is.

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
            # As near as rounding allows: not changed, so that the function is idempotent.
            return weight
        if iteration == 0 and not defect < 1:
            # Far from the manifold, or its squares over- or underflow.
            w = _divided_by_norm(w)
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
        updated: the new matrices, of the same shape.
        defect: at least ``|Q|_2`` of each W before the update, shape (b,).
        mean: of the squares of the singular values of each W before the update, shape (b, 1, 1).
    """

    updated: Tensor
    defect: Tensor
    mean: Tensor


def polar_update(weight: Tensor) -> PolarUpdate:
    """Compute ``(I + Q/2 + 3 Q^2 / 8) W'`` with ``W' = W / c``, ``Q = I - W' W'^T``, ``c^2 = |W|_F^2 / m``, for wide W.

    Tall W are transposed. ``|Q|_2 <= |Q^2|_F^(1/2)``; that of the updated matrix is at most ``5/8 |Q|_2^3`` for
    ``|Q|_2 < 1/2``, up to rounding. Q is as precise as the weight's dtype allows; products that need less precision are
    computed in bfloat16.

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
    """Return whether an update of matrices of this ``defect`` makes all singular values 1, to a few roundings."""
    return defect**3 * 5 / 16 < 4 * torch.finfo(dtype).eps


def _divided_by_norm(w: Tensor) -> Tensor:
    """Divide matrices by positive numbers such that their spectral norms are at most 1, to rounding."""
    largest = w.abs().amax((-2, -1), keepdim=True)
    if not bool(torch.isfinite(largest).all()):
        raise ValueError(
            f"weight of shape {tuple(w.shape[1:])} holds NaN or infinity: "
            "the optimiser's step diverged (lower its learning rate) or the data are not finite"
        )
    # First by a power of two, such that the squares are of order 1.
    w = torch.ldexp(w, -torch.frexp(largest).exponent)
    gram = w.mT @ w if w.shape[-2] >= w.shape[-1] else w @ w.mT
    norms = torch.linalg.matrix_norm(gram, ord=float("inf"), keepdim=True).sqrt()
    return w / torch.where(norms > 0, norms, torch.ones_like(norms))


def fast_dtype(matrices: Tensor) -> torch.dtype:
    """Return bfloat16 where it multiplies float32 matrices several times faster, else the matrices' own dtype.

    For factors that may have a relative error of 2^-9: a step's direction, or a small correction.

    Args:
        matrices: of shape (..., m, n).
    """
    if matrices.dtype != torch.float32 or min(matrices.shape[-2:]) < _SMALLEST:
        return matrices.dtype
    return torch.bfloat16 if _multiplies_bfloat16(matrices.device.type) else matrices.dtype


@contextmanager
def full_precision(device: torch.device) -> Iterator[None]:
    """Compute float32 products without TF32, bfloat16 and autocasting within the context."""
    before = torch.get_float32_matmul_precision()
    if before != "highest":
        torch.set_float32_matmul_precision("highest")
    try:
        with torch.autocast(device.type, enabled=False):
            yield
    finally:
        if before != "highest":
            torch.set_float32_matmul_precision(before)


@cache
def _multiplies_bfloat16(device: str) -> bool:
    if device == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    # Without such instructions bfloat16 products are emulated, slower than those of float32.
    names = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return device == "cpu" and any(getattr(torch.cpu, name, bool)() for name in names)


def orthogonality_error(weight: Tensor) -> float:
    """Compute ``max |G - I|`` over the entries of the smaller Gram matrix ``G``, in float64.

    Args:
        weight: a matrix of shape (m, n); ``G = W W^T`` if m <= n, else ``W^T W``.

    Raises:
        ValueError: ``weight`` is not a matrix with at least one entry.
    """
    weight = matrix(weight.detach()).double()
    gram = weight @ weight.mT if weight.shape[0] <= weight.shape[1] else weight.mT @ weight
    return float((gram - torch.eye(len(gram), dtype=gram.dtype, device=gram.device)).abs().max())


def on_manifold(weight: Tensor) -> bool:
    """Return whether ``weight`` is orthogonal to the precision of its dtype.

    The tolerance is ``10 * max(m, n) * eps(dtype)``, the possible rounding error of a product of that size.

    Args:
        weight: a matrix of shape (m, n).
    """
    tolerance = 10 * max(weight.shape) * torch.finfo(weight.dtype).eps
    return orthogonality_error(weight) <= tolerance


def matrix(weight: Tensor) -> Tensor:
    """Return ``weight``, or raise ValueError unless it is a matrix."""
    if weight.ndim != 2 or weight.numel() == 0:
        raise ValueError(f"weight must be a matrix with at least one entry; got shape {tuple(weight.shape)}")
    return weight


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

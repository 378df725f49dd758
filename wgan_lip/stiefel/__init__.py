"""The Stiefel manifold: matrices whose singular values are all 1."""

from wgan_lip.stiefel.parameter import StiefelParameter, mark_free, mark_orthogonal
from wgan_lip.stiefel.polar import (
    PolarUpdate,
    converged,
    fast_dtype,
    full_precision,
    on_manifold,
    orthogonality_error,
    polar_factor,
    polar_update,
)

__all__ = [
    "PolarUpdate",
    "StiefelParameter",
    "converged",
    "fast_dtype",
    "full_precision",
    "mark_free",
    "mark_orthogonal",
    "on_manifold",
    "orthogonality_error",
    "polar_factor",
    "polar_update",
]

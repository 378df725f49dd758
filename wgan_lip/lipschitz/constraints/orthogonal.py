"""Constraints towards matrices all of whose singular values are 1."""

import math

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize

from wgan_lip.dtypes import widened
from wgan_lip.lipschitz.constraints.constraint import Constraint, Parametrized, Projected, stored_weight, weight_of
from wgan_lip.stiefel import StiefelParameter, mark_orthogonal, polar_factor

# Taylor coefficients of (1 - q)^(-1/2): Bjorck and Bowie 1971, equation (2.4).
_COEFFICIENTS = (1.0, 1 / 2, 3 / 8, 5 / 16, 35 / 128)


class StiefelRetraction(Constraint):
    """The weight is a parameter on the Stiefel manifold, retracted after every step.

    The forward pass is that of an ordinary layer: nothing is differentiated through an
    orthogonalisation. The retraction is the polar factor (:func:`polar_factor`). The weight is marked, so that
    ``wgan_lip.optim`` moves it along the manifold.
    """

    guarantee = "orthogonal"

    def attach(self, layer: nn.Module) -> None:
        layer.weight = StiefelParameter(polar_factor(weight_of(layer)))

    def project_(self, layer: nn.Module) -> None:
        self.mark(layer)
        weight = stored_weight(layer)
        if isinstance(weight, StiefelParameter):
            # The optimisers of wgan_lip.optim have retracted it already; then nothing is done.
            weight.retract_()
        else:
            with torch.no_grad():
                weight.copy_(polar_factor(weight))

    def mark(self, layer: nn.Module) -> None:
        weight = layer._parameters.get("weight")
        if weight is not None:
            mark_orthogonal(weight)
        super().mark(layer)


class Bjorck(Parametrized):
    """The weight is ``bjorck_orthonormalize`` of a free parameter, differentiated through.

    Always 1-Lipschitz; orthogonal while the free parameter is well conditioned, since an iteration of order 1
    multiplies a small singular value by 1.5 only.

    Args:
        order: order of the Taylor polynomial, 1 to 4.
        iterations: iterations in every forward pass.
    """

    guarantee = "orthogonal"

    def __init__(self, order: int = 1, iterations: int = 20) -> None:
        check_bjorck(order, iterations)
        self.order = order
        self.iterations = iterations

    def attach(self, layer: nn.Module) -> None:
        parametrize.register_parametrization(layer, "weight", _BjorckMap(self.order, self.iterations))


class Cayley(Parametrized):
    """The weight is the Cayley transform of a free skew-symmetric parameter (PyTorch's own).

    Raises:
        ValueError: when attached to a weight in half precision, in which PyTorch solves no linear systems, or to one on
            the meta device.
    """

    guarantee = "orthogonal"

    def attach(self, layer: nn.Module) -> None:
        weight = weight_of(layer)
        if weight.is_meta or weight.dtype != widened(weight.dtype):
            raise ValueError(
                "Cayley needs a weight with values in float32 or float64, since PyTorch solves equations with it; "
                f"got {'a weight on the meta device' if weight.is_meta else weight.dtype}"
            )
        parametrizations.orthogonal(layer, "weight", orthogonal_map="cayley")


class _BjorckMap(nn.Module):
    def __init__(self, order: int, iterations: int) -> None:
        super().__init__()
        self.order = order
        self.iterations = iterations

    def forward(self, weight: Tensor) -> Tensor:
        return bjorck_orthonormalize(weight, self.order, self.iterations)


class Parseval(Projected):
    """After each optimiser step, ``W <- (1 + beta) W - beta W W^T W``.

    A step of gradient descent on ``|W^T W - I|^2``; with ``beta = 1/2`` one of Bjorck's iterations. It keeps weights
    near the orthogonal ones if the optimiser's steps are short, and diverges if a singular value exceeds
    ``sqrt(1 + 2 / beta)``: hence no guarantee.

    Args:
        beta: length of the step.

    Raises:
        ValueError: beta is not in (0, 1/2].

    Source:
        Cisse et al., "Parseval networks: improving robustness to adversarial examples", ICML 2017, section 4;
        beta as in the experiments of Anil, Lucas, Grosse 2019.
    """

    guarantee = "none"

    def __init__(self, beta: float = 0.5) -> None:
        if not (math.isfinite(beta) and 0 < beta <= 0.5):
            raise ValueError(f"Parseval needs beta in (0, 1/2]; got beta={beta}")
        self.beta = beta

    def projection(self, weight: Tensor) -> Tensor:
        wide = weight.shape[0] <= weight.shape[1]
        cubed = (weight @ weight.mT) @ weight if wide else weight @ (weight.mT @ weight)
        return (1 + self.beta) * weight - self.beta * cubed


def bjorck_orthonormalize(weight: Tensor, order: int = 1, iterations: int = 20) -> Tensor:
    """Move a matrix towards its polar factor ``U V^T`` by Bjorck's iteration.

    ``W <- W sum_(i <= order) c_i Q^i`` with ``Q = I - W^T W`` and ``c = (1, 1/2, 3/8, 5/16, 35/128)``.

    It starts from ``W / s`` with ``s = sqrt(|G|_inf)``, G the smaller Gram matrix: at least the spectral norm, so the
    iteration converges, and equal to it where W is orthogonal, so that the singular values need not grow back. (After
    division by ``sqrt(m n)`` they would still be near 0.5 after 20 iterations.)

    Args:
        weight: a matrix of shape (m, n); gradients flow through every iteration, but not through s,
            on which the limit does not depend.
        order: the order of the Taylor polynomial, 1 to 4.
        iterations: number of iterations.

    Returns:
        A matrix of shape (m, n) with singular values in (0, 1], close to 1 once converged.

    Raises:
        ValueError: ``order`` is not in 1..4, ``iterations < 1``, or weight is not a matrix.

    Source:
        Bjorck, Bowie 1971, equation (2.4); Anil, Lucas, Grosse 2019, section 4.2.
    """
    check_bjorck(order, iterations)
    if weight.ndim != 2:
        raise ValueError(f"weight must be a matrix; got shape {tuple(weight.shape)}")
    tall = weight.shape[0] >= weight.shape[1]
    w = weight if tall else weight.mT
    eye = torch.eye(w.shape[1], dtype=w.dtype, device=w.device)
    # First by the largest entry, so that the squares neither over- nor underflow.
    tiny = torch.finfo(w.dtype).tiny
    w = w / w.detach().abs().max().clamp_min(tiny)
    w = w / torch.linalg.matrix_norm((w.mT @ w).detach(), ord=float("inf")).sqrt().clamp_min(tiny)
    for _ in range(iterations):
        q = eye - w.mT @ w
        # Horner's rule, so order p costs p - 1 products of the small square matrix.
        polynomial = _COEFFICIENTS[order] * q
        for coefficient in reversed(_COEFFICIENTS[1:order]):
            polynomial = torch.addmm(coefficient * q, q, polynomial)
        w = w + w @ polynomial
    return w if tall else w.mT


def check_bjorck(order: int, iterations: int) -> None:
    """Raise ValueError unless Bjorck's iteration is defined for these arguments."""
    if order not in range(1, len(_COEFFICIENTS)):
        raise ValueError(f"order must be 1, 2, 3 or 4; got order={order}")
    if iterations < 1:
        raise ValueError(f"iterations must be at least 1; got iterations={iterations}")

"""Singular values of a network's Jacobian with respect to its input, at points."""

from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn

from wgan_lip.lipschitz.diagnostics.gradient_profile import check_points
from wgan_lip.lipschitz.diagnostics.lanczos import largest_singular_values
from wgan_lip.lipschitz.leaves import diagnosed_copy

# Up to so many rows (or columns, whichever are fewer) the Jacobian is written out: as many products as that.
_FEW = 256
# Entries of Jacobians that are held at once.
_ENTRIES = 1 << 24


@dataclass(frozen=True)
class JacobianSpectrum:
    """Singular values of the Jacobian at n points; 1 all of them for a map that preserves distances.

    Attributes:
        values: shape (n, k), descending: all of them, or the k largest.
        residuals: shape (n, k): a singular value lies within so much of each; 0 where they are exact.
        complete: whether these are all ``min(inputs, outputs)`` of them, to rounding.
        inputs: numbers in one input.
        outputs: numbers in one output.
    """

    values: Tensor
    residuals: Tensor
    complete: bool
    inputs: int
    outputs: int


def jacobian_spectrum(
    network: nn.Module, x: Tensor, *, k: int | None = None, generator: Generator | None = None, tolerance: float = 1e-8
) -> JacobianSpectrum:
    """Singular values of the Jacobian at points: all of them where that is cheap, or else the largest.

    Up to 256 inputs or outputs the Jacobian is written out, by one product with it for each, and its singular values
    are exact to rounding. Above, the largest are found by :func:`largest_singular_values`, from products alone; the
    smallest would take nearly all products there are, and are not sought. In float64 on a copy, in evaluation mode.

    Args:
        network: maps (n, ...) to (n, ...), each output depending on its own sample only.
        x: points of shape (n, ...), n at least 2.
        k: so many of the largest, by Lanczos; None is all where they are few, and else 6.
        generator: a CPU generator, for Lanczos.
        tolerance: of Lanczos: residuals below it, relative to the largest value.

    Raises:
        ValueError: fewer than 2 points, ``k`` below 1 or above the number of singular values, Lanczos without a
            generator, or outputs that do not count the samples.
    """
    check_points(x)
    twin = diagnosed_copy(network)
    points = x.detach().to("cpu", torch.float64)
    first = _Jacobians(twin, points[:2])
    inputs, outputs = first.inputs, first.outputs
    few = min(inputs, outputs)
    if k is not None and not 1 <= k <= few:
        raise ValueError(f"k must lie between 1 and min(inputs, outputs) = {few}; got k={k}")
    if k is None and few <= _FEW:
        parts = [
            _Jacobians(twin, part).singular_values() for part in points.split(max(1, _ENTRIES // (inputs * outputs)))
        ]
        values = torch.cat(parts)
        return JacobianSpectrum(values, torch.zeros_like(values), True, inputs, outputs)
    if generator is None:
        raise ValueError(f"the Jacobian has {outputs} x {inputs} entries: give a generator, which Lanczos starts from")
    k = min(6, few) if k is None else k
    found = []
    for part in points.split(max(1, _ENTRIES // (8 * k * (inputs + outputs)))):
        jacobians = _Jacobians(twin, part)
        found.append(
            largest_singular_values(jacobians.forth, jacobians.back, inputs, len(part), k, generator, tolerance)
        )
    values, residuals = (torch.cat([getattr(part, name) for part in found]) for name in ("values", "residuals"))
    return JacobianSpectrum(values, residuals, k == few, inputs, outputs)


class _Jacobians:
    """Products with the Jacobians at some points, flattened, and their adjoints.

    The adjoint is backpropagation; the product itself is the derivative of the adjoint, which is linear in what it is
    applied to.
    """

    def __init__(self, network: nn.Module, x: Tensor) -> None:
        with torch.inference_mode(False), torch.enable_grad():
            self._x = x.clone().requires_grad_()
            self._y = network(self._x)
            if self._y.shape[:1] != x.shape[:1]:
                raise ValueError(
                    f"network must keep the {len(x)} samples apart; got outputs of shape {tuple(self._y.shape)}"
                )
            self._w = torch.zeros_like(self._y, requires_grad=True)
            pulled = torch.autograd.grad(self._y, self._x, self._w, create_graph=True, allow_unused=True)[0]
        self._pulled = pulled
        self.inputs, self.outputs = x[0].numel(), self._y[0].numel()

    def back(self, u: Tensor) -> Tensor:
        """``J^T u``: (n, outputs) to (n, inputs)."""
        return self._grad(self._y, self._x, u)

    def forth(self, v: Tensor) -> Tensor:
        """``J v``: (n, inputs) to (n, outputs)."""
        return torch.zeros(len(v), self.outputs).to(v) if self._pulled is None else self._grad(self._pulled, self._w, v)

    def singular_values(self) -> Tensor:
        """All of them, shape (n, min(inputs, outputs)), descending."""
        product, size = (self.back, self.outputs) if self.outputs <= self.inputs else (self.forth, self.inputs)
        units = torch.eye(size, dtype=torch.float64)
        return torch.linalg.svdvals(torch.stack([product(unit.expand(len(self._x), -1)) for unit in units], 1))

    def _grad(self, of: Tensor, to: Tensor, direction: Tensor) -> Tensor:
        with torch.inference_mode(False), torch.enable_grad():
            (found,) = torch.autograd.grad(
                of, to, direction.reshape(of.shape), retain_graph=True, allow_unused=True, materialize_grads=True
            )
        return found.flatten(1)

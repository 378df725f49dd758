"""Singular values of a network's Jacobian with respect to its input, at points."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.autograd.functional import jacobian

from wgan_lip.lipschitz.diagnostics.gradient_profile import check_points
from wgan_lip.lipschitz.inspection import diagnosed_copy

# Entries of Jacobians that are held at once.
_ENTRIES = 1 << 24


@dataclass(frozen=True)
class JacobianSpectrum:
    """Singular values of the Jacobian at n points; all are 1 for a map that preserves distances.

    Attributes:
        values: shape (n, min(inputs, outputs)), descending, exact to rounding.
        inputs: numbers in one input.
        outputs: numbers in one output.
    """

    values: Tensor
    inputs: int
    outputs: int


def jacobian_spectrum(network: nn.Module, x: Tensor) -> JacobianSpectrum:
    """Compute all singular values of the Jacobian at points.

    The Jacobian is written out, row by row: in float64, evaluation mode, on a copy.

    Args:
        network: maps (n, ...) to (n, ...), each output depending on its own sample only.
        x: points of shape (n, ...), n at least 2.

    Raises:
        ValueError: fewer than 2 points, or outputs whose first axis is not that of the samples.
    """
    check_points(x)
    twin = diagnosed_copy(network)
    points = x.detach().to("cpu", torch.float64)
    with torch.no_grad():
        outputs = _outputs(twin, points[:2]).shape[1]
    inputs = points[0].numel()
    parts = points.split(max(1, _ENTRIES // (inputs * outputs)))
    values = torch.cat([torch.linalg.svdvals(_jacobians(twin, part)) for part in parts])
    return JacobianSpectrum(values, inputs, outputs)


def _jacobians(network: nn.Module, x: Tensor) -> Tensor:
    """Write out the Jacobian at each point, shape (n, outputs, inputs)."""
    with torch.inference_mode(False), torch.enable_grad():
        # An output depends on its own sample only, so the sum over samples has all of their Jacobians.
        rows = jacobian(lambda points: _outputs(network, points).sum(0), x.clone())
    return rows.flatten(2).transpose(0, 1)


def _outputs(network: nn.Module, x: Tensor) -> Tensor:
    y = network(x)
    if y.shape[:1] != x.shape[:1]:
        raise ValueError(f"network must give one output for each of {len(x)} samples; got shape {tuple(y.shape)}")
    return y.flatten(1) if y.ndim > 1 else y[:, None]

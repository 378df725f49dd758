"""What rounding may do to the values of a certified network that is evaluated in float64."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from wgan_lip.lipschitz.bounds import gamma
from wgan_lip.lipschitz.certificate import LipschitzCertificate


@dataclass(frozen=True)
class Magnitudes:
    """How large the numbers are in a network's evaluation.

    Attributes:
        norm: the largest l2 norm of a sample, as it was given or as a layer put it out; infinity if one is NaN.
        width: the largest number of coordinates of either.
    """

    norm: float
    width: int

    def joined(self, other: "Magnitudes") -> "Magnitudes":
        """Those of two evaluations together."""
        return Magnitudes(max(self.norm, other.norm), max(self.width, other.width))


def values_and_magnitudes(network64: nn.Module, x: Tensor, chunk: int) -> tuple[Tensor, Magnitudes]:
    """A network's values, and how large the numbers were on the way.

    Args:
        network64: in float64, on the CPU, in evaluation mode.
        x: samples, shape (n, ...).
        chunk: samples that are evaluated at once.

    Returns:
        The values, shape (n, ...), and the magnitudes.
    """
    seen = _Seen()
    hooks = [module.register_forward_hook(seen) for module in network64.modules()]
    try:
        values = []
        with torch.no_grad():
            for part in x.split(chunk):
                part64 = part.to("cpu", torch.float64)
                seen.note(part64)
                values.append(network64(part64))
    finally:
        for hook in hooks:
            hook.remove()
    return torch.cat(values), Magnitudes(seen.norm, seen.width)


def rounding_of_values(certificate: LipschitzCertificate, magnitudes: Magnitudes) -> float:
    """A bound of what rounding in float64 does to a value.

    A layer ``y = W x + b`` of constant L errs by at most ``gamma_(n+2) (|(|W|)|_F |x| + |b|)`` in l2, where
    ``|(|W|)|_F <= sqrt(n) L`` and ``|b| <= |y| + L |x|``. Of k layers, each error is carried through those after it:

    ``k gamma_(n+2) (sqrt(n) + 2) M prod_i max(1, L_i)``, with M and n of the magnitudes. In l_inf errors are smaller.

    Args:
        certificate: the network's.
        magnitudes: of the same evaluation.

    Source:
        Higham, "Accuracy and Stability of Numerical Algorithms", 2002, equation (3.12).
    """
    carried = math.prod(max(1.0, layer.bound) for layer in certificate.layers)
    each = gamma(magnitudes.width + 2) * (math.sqrt(magnitudes.width) + 2) * magnitudes.norm
    return len(certificate.layers) * each * carried * (1 + 1e-6)


class _Seen:
    """A forward hook that notes how large a layer's output is."""

    def __init__(self) -> None:
        self.norm = 0.0
        self.width = 1

    def __call__(self, module: nn.Module, inputs: object, output: Tensor) -> None:
        self.note(output)

    def note(self, batch: Tensor) -> None:
        flat = batch.flatten(1) if batch.ndim > 1 else batch[:, None]
        largest = float(torch.linalg.vector_norm(flat, dim=1).max()) if flat.numel() else 0.0
        self.norm = max(self.norm, math.inf if math.isnan(largest) else largest)
        self.width = max(self.width, flat.shape[1])

"""A bound of the rounding error in the values of a certified network that is evaluated in float64."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from wgan_lip.lipschitz.bounds import gamma
from wgan_lip.lipschitz.certificate.certify import LipschitzCertificate

# These layers accept an input of three axes as a single image.
_ON_IMAGES = (nn.Conv2d, nn.ConvTranspose2d, nn.PixelShuffle, nn.PixelUnshuffle)


@dataclass(frozen=True)
class Magnitudes:
    """The sizes of the numbers in a network's evaluation.

    Attributes:
        norm: the largest l2 norm of a sample, a padded sample, or the output of a layer; infinity if one is NaN.
        width: the largest number of coordinates of any of these.
    """

    norm: float
    width: int


def values_and_magnitudes(network64: nn.Module, x: Tensor, chunk: int) -> tuple[Tensor, Magnitudes]:
    """Evaluate a network, and record the magnitudes of all intermediate numbers.

    Args:
        network64: in float64, on the CPU, in evaluation mode.
        x: samples, shape (n, ...) with one axis or more of their own; they are not changed.
        chunk: samples that are evaluated at once.

    Returns:
        The values, shape (n, ...), and the magnitudes.

    Raises:
        ValueError: samples, or inputs of a layer for images, without an axis that counts samples: layers would use
            another axis instead and mix samples.
    """
    if x.ndim < 2:
        raise ValueError(f"samples must have shape (n, ...), with axes of their own; got {tuple(x.shape)}")
    seen = _Seen()
    hooks = [module.register_forward_hook(seen) for module in network64.modules()]
    try:
        values = []
        with torch.no_grad():
            for part in x.split(chunk):
                # A copy: the first layer may work in place.
                part64 = part.to("cpu", torch.float64, copy=True)
                seen.note(part64)
                values.append(network64(part64))
    finally:
        for hook in hooks:
            hook.remove()
    return torch.cat(values), seen.magnitudes()


def rounding_of_values(certificate: LipschitzCertificate, magnitudes: Magnitudes) -> float:
    """Bound the rounding error of a network's value in float64.

    An operation ``y = W x + b`` of constant L has an error of at most ``gamma_(n+2) (|(|W|)|_F |x| + |b|)``, where
    ``|(|W|)|_F <= sqrt(n) L`` and ``|b| <= |y| + L |x|``: by ``max(1, L)`` units of

    ``gamma_(n+2) (sqrt(n) + 2) M + n^(3/2) 2^-511``,

    with M and n of the magnitudes. The second term is for numbers, or their squares, that underflow, and for numbers
    below 2^-1022 that are flushed to zero. In l_inf errors are smaller. ``LipschitzCertificate.rounding`` is the number
    of units to which the errors of all operations add up.

    Args:
        certificate: the network's.
        magnitudes: of the same evaluation.

    Source:
        Higham, "Accuracy and Stability of Numerical Algorithms", 2002, equations (2.8) and (3.12).
    """
    n, norm = magnitudes.width, magnitudes.norm
    unit = gamma(n + 2) * (math.sqrt(n) + 2) * norm + n**1.5 * 2.0**-511
    return certificate.rounding * unit * (1 + 1e-6)


class _Seen:
    """A forward hook that records the magnitude of a layer's output, and checks that batches of images are counted."""

    def __init__(self) -> None:
        self.norm = 0.0
        self.width = 1
        self.wraps = False

    def __call__(self, module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        if isinstance(module, _ON_IMAGES) and inputs[0].ndim != 4:
            raise ValueError(
                f"{type(module).__name__} needs images of shape (N, C, H, W); got {tuple(inputs[0].shape)}"
            )
        self.wraps |= getattr(module, "padding_mode", "") == "circular"
        self.note(output)

    def note(self, batch: Tensor) -> None:
        flat = batch.flatten(1) if batch.ndim > 1 else batch[:, None]
        largest = float(torch.linalg.vector_norm(flat, dim=1).max()) if flat.numel() else 0.0
        self.norm = max(self.norm, math.inf if math.isnan(largest) else largest)
        self.width = max(self.width, flat.shape[1])

    def magnitudes(self) -> Magnitudes:
        # Circular padding repeats a pixel up to three times on either axis.
        return Magnitudes(3 * self.norm, 9 * self.width) if self.wraps else Magnitudes(self.norm, self.width)

"""What rounding may do to the values of a certified network that is evaluated in float64."""

import math

import torch
from torch import Tensor, nn

from wgan_lip.lipschitz.certificate import LipschitzCertificate


@torch.no_grad()
def values_and_largest(network64: nn.Module, x: Tensor, chunk: int) -> tuple[Tensor, float]:
    """A network's values, and a bound of the l2 norm of what it was given and of what its layers computed.

    Args:
        network64: in float64, on the CPU, in evaluation mode.
        x: samples, shape (n, ...).
        chunk: samples that are evaluated at once.

    Returns:
        The values, shape (n, ...), and the largest number in x or in any layer's output, times the square root of the
        coordinates of a sample.
    """
    sizes = [0.0]
    hooks = [module.register_forward_hook(_Largest(sizes)) for module in network64.modules()]
    try:
        values = []
        for part in x.split(chunk):
            part64 = part.to("cpu", torch.float64)
            sizes.append(float(part64.abs().max()))
            values.append(network64(part64))
    finally:
        for hook in hooks:
            hook.remove()
    return torch.cat(values), max(sizes) * x[0].numel() ** 0.5


def rounding_of_values(certificate: LipschitzCertificate, largest: float) -> float:
    """What rounding in float64 may do to a value: some eps of the largest number, carried through the layers after it.

    Args:
        certificate: the network's.
        largest: as :func:`values_and_largest` found it.
    """
    return 1e-12 * largest * math.prod(max(1.0, layer.bound) for layer in certificate.layers)


class _Largest:
    """A forward hook that notes the largest number in a layer's output."""

    def __init__(self, sizes: list[float]) -> None:
        self._sizes = sizes

    def __call__(self, module: nn.Module, inputs: object, output: Tensor) -> None:
        self._sizes.append(float(output.abs().max()))

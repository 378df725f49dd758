"""Singular values of a network's weights."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from wgan_lip.lipschitz.convolution import phase_taps
from wgan_lip.lipschitz.diagnostics.gradient_profile import check_points
from wgan_lip.lipschitz.layers.kernel_convolution import KernelConv2d, KernelConvolution, KernelConvTranspose2d
from wgan_lip.lipschitz.leaves import diagnosed_copy, kind_of

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)


@dataclass(frozen=True)
class WeightSpectrum:
    """Singular values of one layer's linear map.

    Attributes:
        name: the layer's dotted name in the network.
        kind: its class.
        shape: of the weight, or of a convolution's kernel.
        values: descending, exact to rounding in float64; of a convolution those of the map on images of the size that
            it was given. None where they are not known.
        reason: why they are not known; None where they are.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    values: Tensor | None
    reason: str | None = None


@torch.no_grad()
def weight_spectra(network: nn.Module, x: Tensor) -> tuple[WeightSpectrum, ...]:
    """The singular values of every linear layer and convolution of a network, in the order of their use.

    A dense weight's are those of the matrix. A convolution of this package on a torus is, in the Fourier basis and with
    its input split into the phases of the stride, a block for each frequency w of the output,
    ``M(w) = sum_q K_q e^(i q w)``; its singular values are all of theirs. One whose patches do not overlap is a matrix
    that acts on each patch. Others, those with zero padding above all, are no such sum of blocks and are told to be so.

    Args:
        network: it is not changed; evaluation mode, float64.
        x: points of shape (n, ...), n at least 2; they tell the sizes of images.

    Raises:
        ValueError: fewer than 2 points.

    Source:
        Sedghi, Gupta, Long, "The singular values of convolutional layers", ICLR 2019, theorem 6; with strides as
        :func:`wgan_lip.lipschitz.convolution.convolution_upper_bound`.
    """
    check_points(x)
    twin = diagnosed_copy(network)
    found: dict[str, WeightSpectrum] = {}
    hooks = [
        module.register_forward_pre_hook(_noting(found, name))
        for name, module in twin.named_modules()
        if isinstance(module, (nn.Linear, KernelConvolution, *_CONVOLUTIONS))
    ]
    try:
        twin(x[:1].detach().to("cpu", torch.float64))
    finally:
        for hook in hooks:
            hook.remove()
    return tuple(found.values())


def _noting(found: dict[str, WeightSpectrum], name: str) -> Callable[[nn.Module, Any], None]:
    def hook(module: nn.Module, inputs: Any) -> None:
        if name not in found:
            found[name] = _spectrum(name, module, tuple(inputs[0].shape[2:]))

    return hook


def _spectrum(name: str, module: nn.Module, sizes: tuple[int, ...]) -> WeightSpectrum:
    weight = module.kernel() if isinstance(module, KernelConvolution) else module.weight
    if not isinstance(weight, Tensor):
        raise ValueError(f"layer '{name}' ({kind_of(module)}) has a weight that is no tensor")
    values: Tensor | None = None
    reason: str | None = None
    if isinstance(module, nn.Linear):
        values = torch.linalg.svdvals(weight)
    elif isinstance(module, KernelConvolution):
        values, reason = _of_kernel(module, weight, sizes)
    else:
        reason = "only convolutions of this package are known to be a torus's, or without overlap"
    return WeightSpectrum(name, kind_of(module), tuple(weight.shape), values, reason)


def _of_kernel(module: KernelConvolution, kernel: Tensor, sizes: tuple[int, ...]) -> tuple[Tensor | None, str | None]:
    overlap = module.kernel_size > module.stride
    if overlap and module.padding_mode != "circular":
        return None, "zero padding cuts patches off at the edge"
    if not isinstance(module, KernelConv2d | KernelConvTranspose2d):
        return None, f"{type(module).__name__} is no known convolution"
    shrunk = 1 if isinstance(module, KernelConvTranspose2d) else module.stride
    height, width = (size // shrunk for size in sizes)
    taps = phase_taps(kernel, (module.stride, module.stride), (1, 1))
    symbols = torch.zeros(height, width, *taps.shape[2:], dtype=torch.complex128)
    rows, columns = (torch.arange(size, dtype=torch.float64) / size for size in (height, width))
    for i in range(taps.shape[0]):
        for j in range(taps.shape[1]):
            turn = torch.exp(2j * math.pi * (i * rows[:, None] + j * columns))
            symbols += turn[:, :, None, None] * taps[i, j]
    return torch.linalg.svdvals(symbols).flatten().sort(descending=True).values, None

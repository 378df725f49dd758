"""Singular values of Jacobians and weights, and all diagnostics of a network's gradients at once."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.autograd.functional import jacobian

from wgan_lip.lipschitz.certificate.convolution import phase_taps
from wgan_lip.lipschitz.diagnostics.activation_patterns import LayerUnits, activation_patterns
from wgan_lip.lipschitz.diagnostics.gradient_profile import GradientProfile, check_points, gradient_profile
from wgan_lip.lipschitz.inspection import diagnosed_copy, kind_of
from wgan_lip.lipschitz.layers.kernel_convolution import KernelConv2d

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


_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)


@dataclass(frozen=True)
class WeightSpectrum:
    """Singular values of one layer's linear map.

    Attributes:
        name: the layer's dotted name in the network.
        kind: its class.
        shape: of the weight, or of a convolution's kernel.
        values: descending, exact to rounding in float64; those of a convolution are of the map on images of the size of
            its input. None if they are not known.
        reason: why they are not known; otherwise None.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    values: Tensor | None
    reason: str | None = None


@torch.no_grad()
def weight_spectra(network: nn.Module, x: Tensor) -> tuple[WeightSpectrum, ...]:
    """Compute the singular values of every linear layer and convolution of a network, in the order of their use.

    A convolution of this package on a torus is, in the Fourier basis and with its input split into the phases of the
    stride, a block for each frequency w of the output, ``M(w) = sum_q K_q e^(i q w)``; its singular values are those of
    all blocks. So are those of a convolution whose patches do not overlap. Other convolutions, such as those with zero
    padding, have no such blocks, and a reason instead of values.

    Args:
        network: it is not changed; evaluated in float64, evaluation mode.
        x: points of shape (n, ...), n at least 2, from which the sizes of images are known.

    Raises:
        ValueError: fewer than 2 points.

    Source:
        Sedghi, Gupta, Long, "The singular values of convolutional layers", ICLR 2019, theorem 6; with strides as
        :func:`wgan_lip.lipschitz.certificate.convolution.convolution_upper_bound`.
    """
    check_points(x)
    twin = diagnosed_copy(network)
    found: dict[str, WeightSpectrum] = {}
    hooks = [
        module.register_forward_pre_hook(_noting(found, name))
        for name, module in twin.named_modules()
        if isinstance(module, (nn.Linear, KernelConv2d, *_CONVOLUTIONS))
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
    weight = module.kernel() if isinstance(module, KernelConv2d) else module.weight
    if not isinstance(weight, Tensor):
        raise ValueError(f"layer '{name}' ({kind_of(module)}) has a weight that is not a tensor")
    values: Tensor | None = None
    reason: str | None = None
    if isinstance(module, nn.Linear):
        values = torch.linalg.svdvals(weight)
    elif isinstance(module, KernelConv2d):
        values, reason = _of_kernel(module, weight, sizes)
    else:
        reason = "singular values are known only for the convolutions of this package"
    return WeightSpectrum(name, kind_of(module), tuple(weight.shape), values, reason)


def _of_kernel(module: KernelConv2d, kernel: Tensor, sizes: tuple[int, ...]) -> tuple[Tensor | None, str | None]:
    if module.kernel_size > module.stride and module.padding_mode != "circular":
        return None, "zero padding cuts patches off at the edge"
    height, width = (size // module.stride for size in sizes)
    taps = phase_taps(kernel, (module.stride, module.stride), (1, 1))
    symbols = torch.zeros(height, width, *taps.shape[2:], dtype=torch.complex128)
    rows, columns = (torch.arange(size, dtype=torch.float64) / size for size in (height, width))
    for i in range(taps.shape[0]):
        for j in range(taps.shape[1]):
            turn = torch.exp(2j * math.pi * (i * rows[:, None] + j * columns))
            symbols += turn[:, :, None, None] * taps[i, j]
    return torch.linalg.svdvals(symbols).flatten().sort(descending=True).values, None


@dataclass(frozen=True)
class Diagnosis:
    """Estimates of the gradient norm that a network loses at given points, and of the causes.

    Attributes:
        gradients: the gradient's norm after every layer.
        jacobian: singular values of the Jacobian with respect to the input, at the first of the points.
        units: dead and never-switching units of each activation layer.
        weights: singular values of each weight.
    """

    gradients: GradientProfile
    jacobian: JacobianSpectrum
    units: tuple[LayerUnits, ...]
    weights: tuple[WeightSpectrum, ...]


def diagnose(
    network: nn.Module, x: Tensor, generator: Generator, *, output: int | None = None, jacobian_points: int = 64
) -> Diagnosis:
    """Diagnose at which layers a network loses gradient norm, and why.

    Between orthogonal layers only activations can lose it: ReLU loses the coordinates that it sets to 0, so a trained
    critic can be steep only if many of its units never switch. Layers with small singular values lose it too.

    Args:
        network: a (nested) ``nn.Sequential`` with any number of outputs, which is not changed; evaluated in float64,
            evaluation mode.
        x: points of shape (n, ...), n at least 2.
        generator: a CPU generator, for random combinations of several outputs.
        output: the output to differentiate; None is the only one, or a random unit combination of several.
        jacobian_points: number of points at which the singular values of the Jacobian are computed if there are several
            outputs; with a single output they are computed at all points.

    Raises:
        ValueError: ``jacobian_points`` below 2; as :func:`gradient_profile` and the others.

    Source:
        Anil, Lucas, Grosse, "Sorting out Lipschitz function approximation", ICML 2019, theorem 1.
    """
    if jacobian_points < 2:
        raise ValueError(f"jacobian_points must be at least 2; got jacobian_points={jacobian_points}")
    gradients = gradient_profile(network, x, output=output, generator=generator)
    some = x if gradients.of == "the output" else x[:jacobian_points]
    return Diagnosis(
        gradients=gradients,
        jacobian=jacobian_spectrum(network, some),
        units=activation_patterns(network, x),
        weights=weight_spectra(network, x),
    )

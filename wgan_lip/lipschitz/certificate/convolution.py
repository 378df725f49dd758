"""Rigorous upper bounds of the l2 norm of convolutions, from their kernels alone."""

import itertools
import math

import torch
from torch import Tensor, nn

from wgan_lip.lipschitz.bounds import gamma, largest_squared_norm, norm_up
from wgan_lip.lipschitz.inspection import check_bias, dense
from wgan_lip.lipschitz.layers.kernel_convolution import KernelConv2d

# Frequencies on an axis, for each degree of the polynomial: overestimates the squared norm by 1 / cos(pi / 32)^2, 1 %.
_OVERSAMPLING = 32
# The cheap bound is not improved if it is at most this factor above the norm.
_NEAR = 1.002
# Frequencies times the cube of the channels, up to which the grid is computed: 3 x 3 with 64 channels takes 3 seconds
# on two cores, and this is three times that. Above it the cheap bound is returned, which is several times too large for
# a kernel without structure.
_WORK = 7e9
# Complex numbers that are held at once.
_CHUNK = 1 << 22


def convolution_upper_bound(kernel: Tensor, stride: tuple[int, int], dilation: tuple[int, int]) -> float:
    """Bound the l2 norm of ``x -> K * x`` on all signals on Z^2 from above, and so with zero padding of any size.

    Sampled by the stride, a signal is ``in s_1 s_2`` signals (its phases), and the convolution has the symbol
    ``M(w) = sum_q K_q e^(i q w)``, whose largest spectral norm is the operator's. With ``A_d = sum_q K_(q+d) K_q^T``,

    ``|A_0| <= max_w |M(w)|^2 <= |A_0| + sum_(d != 0) |A_d|``,

    with equality for an orthogonal convolution. Otherwise ``|M(w)|^2`` is computed on a grid of N_1 x N_2 frequencies:
    as a trigonometric polynomial of degree (D_1, D_2) it exceeds the grid's largest value at most by the factor
    ``1 / (cos(pi D_1 / N_1) cos(pi D_2 / N_2))``. All roundings, in float64, are accounted for.

    Args:
        kernel: of shape (out, in, k_1, k_2), any floating dtype; its entries are taken as exact.
        stride: on both axes.
        dilation: on both axes.

    Returns:
        At least the norm on Z^2, and at most 1 % more for an orthogonal kernel, and for others of 3 x 3 with up to
        about 90 channels (of input or output, whichever are fewer).

    Raises:
        ValueError: the kernel holds NaN or infinity.

    Source:
        Sedghi, Gupta, Long, "The singular values of convolutional layers", ICLR 2019, theorem 6 (periodic signals);
        Ehlich, Zeller, "Schwankung von Polynomen zwischen Gitterpunkten", Math. Z. 86, 1964; Riesz's lemma.
    """
    k = kernel.detach().to("cpu", torch.float64)
    if not torch.isfinite(k).all():
        raise ValueError(f"kernel of shape {tuple(kernel.shape)} holds NaN or infinity")
    largest = float(k.abs().max()) if k.numel() else 0.0
    if largest == 0.0:
        return 0.0
    # A power of two: exact, and squares neither over- nor underflow.
    scale = 2.0 ** (math.frexp(largest)[1] - 1)
    taps = phase_taps(k / scale, stride, dilation)
    if taps.shape[2] > taps.shape[3]:
        # The adjoint has the same norm, and a smaller A_0.
        taps = taps.flip(0, 1).mT
    flat = taps.permute(2, 0, 1, 3).flatten(1)
    a_0 = largest_squared_norm(flat[None])
    sums = a_0 + _correlations(taps)
    squared = sums
    work = math.prod(_OVERSAMPLING * n for n in taps.shape[:2]) * taps.shape[2] ** 3
    if sums > _NEAR**2 * a_0 and work < _WORK:
        squared = min(sums, _on_a_grid(taps))
    return norm_up(squared * (1 + 4 * gamma(1)), scale)


def phase_taps(kernel: Tensor, stride: tuple[int, int], dilation: tuple[int, int]) -> Tensor:
    """Rewrite a kernel as one of stride 1 and dilation 1 between phases, of shape ``(q_1, q_2, out, in s_1 s_2)``."""
    out, in_, *sizes = kernel.shape
    spread = [d * (size - 1) + 1 for d, size in zip(dilation, sizes, strict=True)]
    q = [-(-length // s) for length, s in zip(spread, stride, strict=True)]
    dilated = kernel.new_zeros(out, in_, q[0] * stride[0], q[1] * stride[1])
    dilated[:, :, : spread[0] : dilation[0], : spread[1] : dilation[1]] = kernel
    phases = dilated.view(out, in_, q[0], stride[0], q[1], stride[1])
    return phases.permute(2, 4, 0, 1, 3, 5).flatten(3)


def _correlations(taps: Tensor) -> float:
    """Bound ``sum_(d != 0) |A_d|_F`` from above; ``A_(-d)`` is the transpose of ``A_d``."""
    rows, columns = taps.shape[:2]
    total, mass = 0.0, float(taps.square().sum()) * (1 + 2 * gamma(taps.numel() + 2))
    length = rows * columns * taps.shape[3] + 2
    for d1, d2 in itertools.product(range(rows), range(1 - columns, columns)):
        if (d1, d2) > (0, 0):
            ahead = taps[d1:, max(d2, 0) : columns + min(d2, 0)]
            behind = taps[: rows - d1, max(-d2, 0) : columns - max(d2, 0)]
            a_d = ahead.permute(2, 0, 1, 3).flatten(1) @ behind.permute(2, 0, 1, 3).flatten(1).T
            # |fl(A_d) - A_d|_F <= gamma |K|_F^2 (Cauchy-Schwarz); underflow adds less than the last term.
            size = float(a_d.square().sum().sqrt()) * (1 + 2 * gamma(a_d.numel() + 4))
            total += 2 * (size + gamma(length) * mass + length * a_d.numel() * 2.0**-1022)
    return total * (1 + gamma(4 * rows * columns + 2))


def _on_a_grid(taps: Tensor) -> float:
    """Bound ``max_w |M(w)|^2`` from above."""
    degrees = [n - 1 for n in taps.shape[:2]]
    counts = [_OVERSAMPLING * d if d else 1 for d in degrees]
    factor = math.prod(math.cos(math.pi * d / n) * (1 - 1e-14) for d, n in zip(degrees, counts, strict=True))
    taps_flat = taps.flatten(0, 1).flatten(1).to(torch.complex128)
    # The error of each M in spectral norm: a phase has 3 roundings of an angle up to 2 pi and some of exp, fewer than
    # 32 in all, a complex product of length q has 2 sqrt(2) q.
    sizes = taps.flatten(2).square().sum(2).sqrt()
    error = gamma(4 * (len(taps_flat) + 8)) * float(sizes.sum()) * (1 + gamma(taps.numel() + 4))
    # A real kernel has M(-w) = conj M(w), so half of the first axis suffices.
    grid = torch.cartesian_prod(torch.arange(counts[0] // 2 + 1), torch.arange(counts[1]))
    places = torch.cartesian_prod(torch.arange(taps.shape[0]), torch.arange(taps.shape[1]))
    largest = 0.0
    for part in grid.split(max(1, _CHUNK // max(1, taps[0, 0].numel()))):
        # q w = 2 pi (q j mod n) / n: reduced as integers, so that the angle is as precise as a float.
        turns = sum((part[:, None, a] * places[None, :, a] % counts[a]).double() / counts[a] for a in (0, 1))
        symbols = (torch.exp(2j * math.pi * turns) @ taps_flat).view(-1, *taps.shape[2:])
        # A complex matrix as a real one of twice the size has the same norm.
        real = torch.cat((symbols.real, -symbols.imag), 2), torch.cat((symbols.imag, symbols.real), 2)
        largest = max(largest, largest_squared_norm(torch.cat(real, 1)))
    return (math.sqrt(largest) * (1 + 2 * gamma(2)) + error) ** 2 * (1 + 2 * gamma(8)) / factor


def convolution_rule(module: nn.Conv2d | nn.ConvTranspose2d) -> float:
    """Bound an ``nn.Conv2d`` or ``nn.ConvTranspose2d`` (the cropped adjoint) with its weight as it is."""
    stride, dilation = _pair(module.stride), _pair(module.dilation)
    weight, groups, transposed = dense(module.weight, 4), module.groups, isinstance(module, nn.ConvTranspose2d)
    if groups < 1 or len(weight) % groups:
        raise ValueError(f"its weight of shape {tuple(weight.shape)} cannot be split into groups={groups}")
    check_bias(module.bias, groups * weight.shape[1] if transposed else len(weight))
    if module.padding_mode == "circular" and not transposed:
        _check_circular(module, weight, stride, dilation)
    elif module.padding_mode != "zeros":
        raise ValueError(f"no bound is known for padding_mode={module.padding_mode!r}, which repeats pixels; use zeros")
    return max(convolution_upper_bound(part, stride, dilation) for part in weight.chunk(groups))


def _check_circular(
    module: nn.Conv2d | nn.ConvTranspose2d, weight: Tensor, stride: tuple[int, int], dilation: tuple[int, int]
) -> None:
    """Check that outputs are among those on a torus, each once; the torus has some of the frequencies on Z^2."""
    if stride != (1, 1):
        raise ValueError("no bound is known for circular padding with a stride, on images of any size")
    # The attribute that the forward pass uses, last axis first; padding may be "same".
    left, right, top, bottom = module._reversed_padding_repeated_twice
    for pad, size, d in zip((top + bottom, left + right), weight.shape[2:], dilation, strict=True):
        if pad > d * (size - 1):
            raise ValueError(f"circular padding of {pad} in total repeats outputs of a kernel of size {size}")


def kernel_convolution_rule(module: KernelConv2d) -> float:
    """Bound a convolution with a computed kernel by the norm on Z^2.

    On a torus whose sides the stride divides, the frequencies are some of those on Z^2; zero padding restricts the
    operator to images that vanish outside, and to some of the outputs.
    """
    kernel = kernel_of(module)
    sizes, stride = tuple(kernel.shape[2:]), module.stride
    if min(module.padding) < 0 or any(sum(module.padding) != size - stride for size in sizes):
        raise ValueError(
            f"its padding {module.padding} does not fit its kernel of {sizes[0]} x {sizes[1]} with stride {stride}: "
            "outputs may be repeated"
        )
    return convolution_upper_bound(kernel, (stride, stride), (1, 1))


@torch.no_grad()
def kernel_of(module: KernelConv2d) -> Tensor:
    """Compute a layer's kernel, in the dtype of its parameters.

    Args:
        module: the layer, in evaluation mode.

    Raises:
        ValueError: it is no kernel, it differs when it is computed again, or the bias does not fit it.
    """
    kernel = dense(module.kernel(), 4, "kernel")
    if not torch.equal(kernel, module.kernel()):
        raise ValueError("its kernel is not the same each time that it is computed")
    check_bias(module.bias, len(kernel))
    return kernel


def _pair(value: int | tuple[int, ...]) -> tuple[int, int]:
    first, second = (value, value) if isinstance(value, int) else value
    return first, second

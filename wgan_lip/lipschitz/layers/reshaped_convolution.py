"""Convolutions whose reshaped kernel is held by a constraint, with the bound that this really implies."""

import torch
from torch import Tensor

from wgan_lip.lipschitz.constraints.constraint import Constraint
from wgan_lip.lipschitz.constraints.initial import Initial
from wgan_lip.lipschitz.constraints.l_infinity import LInfNormalization
from wgan_lip.lipschitz.layers.kernel_convolution import KernelConv2d, PaddingMode
from wgan_lip.lipschitz.layers.linear import check_holds_in_l_infinity
from wgan_lip.lipschitz.layers.matrix import ConstrainedMatrix
from wgan_lip.lipschitz.layers.square import Size, square


class ConstrainedConv2d(KernelConv2d):
    """A convolution whose kernel, reshaped to a matrix of shape (out, in k^2), is held by any constraint.

    The matrix acts on patches. Patches overlap: each pixel lies in up to ``ceil(k / s)^2`` of them, so a matrix of norm
    1 makes a convolution of norm up to ``ceil(k / s)``, and an orthogonal matrix no orthogonal convolution unless
    ``k = s``. Where the constraint bounds the matrix, the kernel is therefore divided by ``ceil(k / s)``: proven, and
    loose. For k = s that is 1. :class:`OrthogonalConv2d` has neither fault. In the l_inf norm nothing is lost: one
    output is one row times one patch, however many patches overlap, so constraints in l_inf divide by nothing.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: k, on both axes, or (k, k); at least the stride.
        stride: s, on both axes, or (s, s); it must divide the height and the width of the input.
        constraint: how the matrix is held.
        normalize: divide by ``ceil(k / s)`` if the constraint has a guarantee in l2.
        padding_mode: "circular", or "zeros".
        bias: learn an additive bias for each output channel.
        initial: the matrix before the constraint is attached: "orthogonal", uniformly drawn (Haar), "uniform", within
            ``1 / sqrt(in k^2)``, PyTorch's own, or "selection", rows that pick one input each.
        generator: source of the initial matrix's randomness; torch's global one if None.

    Shape:
        ``(N, in_channels, s H, s W) -> (N, out_channels, H, W)``.

    Raises:
        ValueError: a size below 1, or not the same on both axes, a kernel smaller than the stride; in ``forward``:
            images of another shape.

    Source:
        Anil, Lucas, Grosse, "Sorting out Lipschitz function approximation", ICML 2019, appendix; the bound: Tsuzuku,
        Sato, Sugiyama, "Lipschitz-margin training", NeurIPS 2018, theorem 3.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size,
        constraint: Constraint,
        normalize: bool = True,
        padding_mode: PaddingMode = "zeros",
        bias: bool = True,
        initial: Initial = "orthogonal",
        generator: torch.Generator | None = None,
    ) -> None:
        kernel_size, stride = square(type(self).__name__, kernel_size=kernel_size, stride=stride)
        super().__init__(in_channels, out_channels, kernel_size, stride, padding_mode, bias)
        self.matrix = ConstrainedMatrix(out_channels, in_channels * kernel_size**2, constraint, initial, generator)
        divided = normalize and constraint.guarantee != "none" and constraint.norm == "l2"
        self.divisor = -(-kernel_size // stride) if divided else 1

    def kernel(self) -> Tensor:
        matrix: Tensor = self.matrix()
        kernel = matrix.view(self.out_channels, self.in_channels, self.kernel_size, self.kernel_size)
        return kernel if self.divisor == 1 else kernel / self.divisor


class LInfConv2d(ConstrainedConv2d):
    """A convolution whose kernels have l_1 norms of at most 1, so 1-Lipschitz in the l_inf norm.

    Like :class:`wgan_lip.lipschitz.LInfLinear`, its outputs begin as one input each.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: k, on both axes, or (k, k); at least the stride.
        stride: s, on both axes, or (s, s); it must divide the height and the width of the input.
        padding_mode: "zeros", or "circular".
        bias: learn an additive bias for each output channel.
        constraint: how the kernels are held, ``LInfNormalization()`` or ``LInfProjection()``; the former if None.
        generator: source of the initial kernels' randomness; torch's global one if None.

    Shape:
        ``(N, in_channels, s H, s W) -> (N, out_channels, H, W)``.

    Raises:
        ValueError: as :class:`ConstrainedConv2d`, or a constraint that does not hold in l_inf.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size,
        padding_mode: PaddingMode = "zeros",
        bias: bool = True,
        constraint: Constraint | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        constraint = constraint if constraint is not None else LInfNormalization()
        check_holds_in_l_infinity(type(self).__name__, constraint)
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            constraint,
            padding_mode=padding_mode,
            bias=bias,
            initial="selection",
            generator=generator,
        )

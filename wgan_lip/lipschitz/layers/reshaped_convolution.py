"""Convolutions whose reshaped kernel is under a constraint, with the Lipschitz bound that follows from it."""

import torch
from torch import Tensor

from wgan_lip.lipschitz.constraints.constraint import Constraint
from wgan_lip.lipschitz.constraints.norms import LInfNormalization
from wgan_lip.lipschitz.layers.kernel_convolution import KernelConv2d, PaddingMode, Size
from wgan_lip.lipschitz.layers.linear import check_l_infinity
from wgan_lip.lipschitz.layers.matrix import ConstrainedMatrix, Initial


class ConstrainedConv2d(KernelConv2d):
    """A convolution whose kernel, reshaped to a matrix of shape (out, in k^2), is under any constraint.

    The matrix acts on patches. Patches overlap: each pixel lies in up to ``ceil(k / s)^2`` of them, so a convolution
    with a matrix of norm 1 has norm up to ``ceil(k / s)``, and with an orthogonal matrix it is orthogonal only if
    ``k = s``. If the constraint bounds the matrix, the kernel is therefore divided by ``ceil(k / s)``: a proven bound,
    but loose. (:class:`OrthogonalConv2d` is exact.) In the l_inf norm one output is one row times one patch, however
    many patches overlap, so with constraints in l_inf the kernel is not divided.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: k, on both axes, or (k, k); at least the stride.
        stride: s, on both axes, or (s, s); it must divide the height and the width of the input.
        constraint: of the matrix.
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
            images of a wrong shape.

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
        super().__init__(in_channels, out_channels, kernel_size, stride, padding_mode, bias)
        self.matrix = ConstrainedMatrix(out_channels, in_channels * self.kernel_size**2, constraint, initial, generator)
        divided = normalize and constraint.guarantee != "none" and constraint.norm == "l2"
        self.divisor = -(-self.kernel_size // self.stride) if divided else 1

    def kernel(self) -> Tensor:
        matrix: Tensor = self.matrix()
        kernel = matrix.view(self.out_channels, self.in_channels, self.kernel_size, self.kernel_size)
        return kernel if self.divisor == 1 else kernel / self.divisor


class LInfConv2d(ConstrainedConv2d):
    """A convolution whose kernels have l_1 norms of at most 1, so 1-Lipschitz in the l_inf norm.

    As of :class:`wgan_lip.lipschitz.LInfLinear`, each of its outputs is nearly one input initially.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: k, on both axes, or (k, k); at least the stride.
        stride: s, on both axes, or (s, s); it must divide the height and the width of the input.
        padding_mode: "zeros", or "circular".
        bias: learn an additive bias for each output channel.
        constraint: of the kernels, ``LInfNormalization()`` (the default) or ``LInfProjection()``.
        generator: source of the initial kernels' randomness; torch's global one if None.

    Shape:
        ``(N, in_channels, s H, s W) -> (N, out_channels, H, W)``.

    Raises:
        ValueError: as :class:`ConstrainedConv2d`, or a constraint without a guarantee in l_inf.
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
        check_l_infinity(type(self).__name__, constraint)
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

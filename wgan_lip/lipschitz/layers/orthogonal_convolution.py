"""Orthogonal convolutions: distances and gradient norms survive them, with any stride and any channels."""

import torch
from torch import Tensor, nn

from wgan_lip.lipschitz.constraints.constraint import Constraint
from wgan_lip.lipschitz.constraints.orthogonal import StiefelRetraction
from wgan_lip.lipschitz.layers.block_kernel import block_kernel
from wgan_lip.lipschitz.layers.kernel_convolution import (
    KernelConv2d,
    KernelConvolution,
    KernelConvTranspose2d,
    PaddingMode,
)
from wgan_lip.lipschitz.layers.matrix import ConstrainedMatrix
from wgan_lip.lipschitz.layers.square import Size, square


class OrthogonalKernel(nn.Module):
    """The orthogonal matrices of a kernel from ``in_channels`` to ``out_channels``; calling it gives the kernel.

    Q is of shape (out, c s^2) and every U of shape (c, c / 2), with ``c = max(in, out / s^2)``, both rounded down
    (see :func:`block_kernel`).

    Args:
        in_channels: of the convolution.
        out_channels: of the convolution.
        kernel_size: ``k``.
        stride: s, at most k; for k = s there are no blocks: the layer is one orthogonal matrix on disjoint patches.
        constraint: how the matrices are held.
        generator: source of the initial matrices' randomness, uniformly drawn (Haar).
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int,
        constraint: Constraint,
        generator: torch.Generator | None,
    ) -> None:
        super().__init__()
        if constraint.guarantee != "orthogonal":
            raise ValueError(
                f"an orthogonal convolution needs a constraint that keeps matrices orthogonal; got "
                f"{type(constraint).__name__}, whose guarantee is '{constraint.guarantee}': use ConstrainedConv2d"
            )
        self.in_channels = in_channels
        self.stride = stride
        channels = max(in_channels, out_channels // stride**2)
        self.outer = ConstrainedMatrix(out_channels, channels * stride**2, constraint, generator=generator)
        # With one channel there is nothing to halve; its U moves the only one, or none.
        self.bases = nn.ModuleList(
            ConstrainedMatrix(channels, max(1, channels // 2), constraint, generator=generator)
            for _ in range(2 * (kernel_size - stride))
        )

    def forward(self) -> Tensor:
        return block_kernel(self.outer(), [basis() for basis in self.bases], self.in_channels, self.stride)


class _OrthogonalConvolution(KernelConvolution):
    """The constructor of both orthogonal convolutions."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size = 3,
        stride: Size = 1,
        padding_mode: PaddingMode = "circular",
        bias: bool = True,
        constraint: Constraint | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        kernel_size, stride = square(type(self).__name__, kernel_size=kernel_size, stride=stride)
        super().__init__(in_channels, out_channels, kernel_size, stride, padding_mode, bias)
        constraint = constraint or StiefelRetraction()
        # A transposed convolution has the kernel of the one whose adjoint it is.
        transposed = isinstance(self, KernelConvTranspose2d)
        ends = (out_channels, in_channels) if transposed else (in_channels, out_channels)
        self.matrices = OrthogonalKernel(*ends, kernel_size, stride, constraint, generator)

    def kernel(self) -> Tensor:
        return self.matrices()


class OrthogonalConv2d(_OrthogonalConvolution, KernelConv2d):
    """A convolution all of whose singular values are 1, on images that are a torus; 1-Lipschitz with zero padding.

    For ``out_channels >= in_channels * stride^2`` it preserves distances; otherwise its backward pass preserves
    gradient norm. With zero padding that is so but for pixels at the edge, where parts of a patch lie outside. For
    ``kernel_size = stride`` there is no padding, and no edge.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: k, on both axes, or (k, k); at least the stride.
        stride: s, on both axes, or (s, s); it must divide the height and the width of the input.
        padding_mode: "circular", or "zeros".
        bias: learn an additive bias for each output channel.
        constraint: how the matrices that make the kernel are held; by default retracted after each optimiser step,
            which :func:`wgan_lip.lipschitz.project_` does. Its guarantee must be "orthogonal".
        generator: source of the initial kernel's randomness; torch's global one if None.

    Shape:
        ``(N, in_channels, s H, s W) -> (N, out_channels, H, W)``.

    Raises:
        ValueError: a size below 1, or not the same on both axes, a kernel smaller than the stride, a constraint that
            does not keep matrices orthogonal; in ``forward``: images of another shape.

    Source:
        As :func:`wgan_lip.lipschitz.layers.block_kernel`.
    """


class OrthogonalConvTranspose2d(_OrthogonalConvolution, KernelConvTranspose2d):
    """The adjoint of an :class:`OrthogonalConv2d` from ``out_channels`` to ``in_channels``, and a bias.

    Its singular values are the same: 1 on a torus. For ``in_channels >= out_channels * stride^2`` its backward pass
    preserves gradient norm, otherwise it preserves distances.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: k, on both axes, or (k, k); at least the stride.
        stride: s, or (s, s): by how much images grow.
        padding_mode: "circular", or "zeros": what would lie outside the image is cut off.
        bias: learn an additive bias for each output channel.
        constraint: as :class:`OrthogonalConv2d`.
        generator: source of the initial kernel's randomness; torch's global one if None.

    Shape:
        ``(N, in_channels, H, W) -> (N, out_channels, s H, s W)``.

    Raises:
        ValueError: as :class:`OrthogonalConv2d`.
    """

"""Orthogonal convolutions, which preserve distances or gradient norms, with any stride and any channels."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from wgan_lip.lipschitz.constraints.constraint import Constraint
from wgan_lip.lipschitz.constraints.orthogonal import StiefelRetraction
from wgan_lip.lipschitz.layers.kernel_convolution import KernelConv2d, PaddingMode, Size
from wgan_lip.lipschitz.layers.linear import ConstrainedMatrix
from wgan_lip.stiefel import full_precision


class OrthogonalConv2d(KernelConv2d):
    """A convolution all of whose singular values are 1, on images that are a torus; 1-Lipschitz with zero padding.

    For ``out_channels >= in_channels * stride^2`` it preserves distances; otherwise its backward pass preserves
    gradient norm. With zero padding this is not true of pixels at the edge, where parts of a patch lie outside. For
    ``kernel_size = stride`` there is no padding, and no edge.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: k, on both axes, or (k, k); at least the stride.
        stride: s, on both axes, or (s, s); it must divide the height and the width of the input.
        padding_mode: "circular", or "zeros".
        bias: learn an additive bias for each output channel.
        constraint: of the matrices from which the kernel is computed; by default they are retracted after each
            optimiser step, by :func:`wgan_lip.lipschitz.project_`. Its guarantee must be "orthogonal".
        generator: source of the initial kernel's randomness; torch's global one if None.

    Shape:
        ``(N, in_channels, s H, s W) -> (N, out_channels, H, W)``.

    Raises:
        ValueError: a size below 1, or not the same on both axes, a kernel smaller than the stride, a constraint that
            does not keep matrices orthogonal; in ``forward``: images of a wrong shape.

    Source:
        As :func:`block_kernel`.
    """

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
        super().__init__(in_channels, out_channels, kernel_size, stride, padding_mode, bias)
        constraint = constraint or StiefelRetraction()
        self.matrices = OrthogonalKernel(
            in_channels, out_channels, self.kernel_size, self.stride, constraint, generator
        )

    def kernel(self) -> Tensor:
        return self.matrices()


class OrthogonalKernel(nn.Module):
    """The orthogonal matrices of a kernel from ``in_channels`` to ``out_channels``; calling it gives the kernel.

    Q is of shape (out, c s^2) and every U of shape (c, c / 2), with ``c = max(in, out / s^2)``, both rounded down
    (see :func:`block_kernel`).

    Args:
        in_channels: of the convolution.
        out_channels: of the convolution.
        kernel_size: ``k``.
        stride: s, at most k; for k = s there are no blocks: the layer is one orthogonal matrix on disjoint patches.
        constraint: of the matrices.
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
                "an orthogonal convolution needs a constraint that keeps matrices orthogonal; got "
                f"{type(constraint).__name__}, whose guarantee is '{constraint.guarantee}': use ConstrainedConv2d"
            )
        self.in_channels = in_channels
        self.stride = stride
        channels = max(in_channels, out_channels // stride**2)
        self.outer = ConstrainedMatrix(out_channels, channels * stride**2, constraint, generator=generator)
        # One channel cannot be halved: its U is 1 x 1 and moves the channel, or none.
        self.bases = nn.ModuleList(
            ConstrainedMatrix(channels, max(1, channels // 2), constraint, generator=generator)
            for _ in range(2 * (kernel_size - stride))
        )

    def forward(self) -> Tensor:
        return block_kernel(self.outer(), [basis() for basis in self.bases], self.in_channels, self.stride)


def block_kernel(outer: Tensor, bases: Sequence[Tensor], in_channels: int, stride: int) -> Tensor:
    """Compute the kernel of an orthogonal convolution of size ``stride + m`` on both axes from orthogonal matrices.

    It is the kernel of ``Q o B_2m o ... o B_1 o E``. E embeds the inputs into c channels, the others of which are zero.
    ``B_i x[n] = P x[n] + (I - P) x[n + e]``, with ``P = U_i U_i^T`` and e the unit step along one axis and the other in
    turn, moves one half of the channels by a pixel: its symbol ``P + (I - P) e^(iw)`` is unitary at every frequency w.
    Q is an orthogonal matrix on disjoint patches of ``stride x stride`` pixels. An orthogonal matrix between the inputs
    and the blocks would add nothing: it can be moved through them into Q.

    Args:
        outer: Q, orthogonal, of shape (out, c stride^2); its columns count channel, row, column.
        bases: ``U_1 ... U_2m``, each orthogonal of shape (c, r).
        in_channels: at most c.
        stride: of the convolution.

    Returns:
        Shape (out, in_channels, stride + m, stride + m). All singular values of the convolution on Z^2, or on a torus
        whose sides the stride divides, are 1.

    Source:
        Li, Haque, Anil, Lucas, Grosse, Jacobsen, "Preventing gradient attenuation in Lipschitz constrained
        convolutional networks", NeurIPS 2019, algorithm 1, after Xiao et al., ICML 2018; with strides: Boissin et al.,
        "An adaptive orthogonal convolution scheme for efficient and flexible CNN architectures", ICML 2025, section 3.
    """
    channels = outer.shape[1] // stride**2
    with full_precision(outer.device):
        kernel = torch.eye(channels, in_channels, dtype=outer.dtype, device=outer.device)[:, :, None, None]
        for i, basis in enumerate(bases):
            kept = (basis @ (basis.mT @ kernel.flatten(1))).view(kernel.shape)
            before, after = ((0, 0, 0, 1), (0, 0, 1, 0)) if i % 2 == 0 else ((0, 1), (1, 0))
            kernel = F.pad(kept, before) + F.pad(kernel - kept, after)
        if stride == 1:
            return (outer @ kernel.flatten(1)).view(-1, *kernel.shape[1:])
        # The product of two polynomials: a convolution of one's coefficients with the other's, turned around.
        patches = outer.view(-1, channels, stride, stride).flip(2, 3)
        return F.conv2d(kernel.transpose(0, 1), patches, padding=stride - 1).transpose(0, 1)

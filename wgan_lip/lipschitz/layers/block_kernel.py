"""The kernel of an orthogonal convolution, made of orthogonal matrices."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from wgan_lip.stiefel import full_precision


def block_kernel(outer: Tensor, bases: Sequence[Tensor], in_channels: int, stride: int) -> Tensor:
    """The kernel of an orthogonal convolution of size ``stride + m`` on both axes.

    It is that of ``Q o B_2m o ... o B_1 o E``. E embeds the inputs into c channels, the others of which are zero. ``B_i
    x[n] = P x[n] + (I - P) x[n + e]``, with ``P = U_i U_i^T`` and e the unit step along the axes in turn, moves one
    half of the channels by a pixel: its symbol ``P + (I - P) e^(iw)`` is unitary at every frequency w. Q is an
    orthogonal matrix on disjoint patches of ``stride x stride`` pixels. Every orthogonal matrix between the inputs and
    the blocks can be moved through them into Q, so none is needed there.

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

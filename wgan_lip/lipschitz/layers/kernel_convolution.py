"""Convolutions whose kernel is computed, on images that keep their size but for the stride."""

from abc import abstractmethod
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from wgan_lip.lipschitz.convolution import convolution_upper_bound
from wgan_lip.lipschitz.layers.wrapping import unwrap, wrap
from wgan_lip.lipschitz.stored import check_bias, dense

PaddingMode = Literal["circular", "zeros"]


class KernelConvolution(nn.Module):
    """What convolutions with a computed kernel share: sizes, bias and padding.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: k, on both axes; at least the stride.
        stride: s, on both axes; it divides the height and width of the larger images.
        padding_mode: "circular": images are a torus; "zeros": what lies outside of them is zero. ``k - s`` rows and
            columns are added, half of them on either side.
        bias: learn an additive bias for each output channel.

    Raises:
        ValueError: a size below 1, a kernel smaller than the stride, an unknown padding mode; in ``forward``: an input
            that is no batch of images, or whose size the stride does not divide.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int,
        padding_mode: PaddingMode,
        bias: bool,
    ) -> None:
        super().__init__()
        sizes = {"in_channels": in_channels, "out_channels": out_channels, "stride": stride}
        for name, value in sizes.items():
            if value < 1:
                raise ValueError(f"{type(self).__name__} needs {name} >= 1; got {name}={value}")
        if kernel_size < stride:
            raise ValueError(
                f"{type(self).__name__} needs kernel_size >= stride, lest pixels be lost; "
                f"got kernel_size={kernel_size}, stride={stride}"
            )
        if padding_mode not in ("circular", "zeros"):
            raise ValueError(f"padding_mode must be 'circular' or 'zeros'; got padding_mode={padding_mode!r}")
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = kernel_size
        self.stride = stride
        self.padding_mode = padding_mode
        overlap = kernel_size - stride
        self.padding = (overlap // 2, overlap - overlap // 2)
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None

    @abstractmethod
    def kernel(self) -> Tensor:
        """As PyTorch has it: (out, in, k, k), or (in, out, k, k) of a transposed convolution."""

    def _check(self, x: Tensor, divisor: int) -> None:
        height_width = tuple(x.shape[2:])
        if x.ndim != 4 or x.shape[1] != self.in_channels or any(n % divisor or n < 1 for n in height_width):
            wanted = f" with sides divisible by stride={divisor}" if divisor > 1 else ""
            raise ValueError(
                f"{type(self).__name__} needs images of shape (N, {self.in_channels}, H, W){wanted}; "
                f"got {tuple(x.shape)}"
            )
        if self.padding_mode == "circular" and max(self.padding) > self.stride * min(height_width) // divisor:
            raise ValueError(
                f"{type(self).__name__} with kernel_size={self.kernel_size} and circular padding needs sides of at "
                f"least {-(-max(self.padding) * divisor // self.stride)}; got shape {tuple(x.shape)}"
            )

    def extra_repr(self) -> str:
        return (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}, "
            f"padding_mode={self.padding_mode!r}, bias={self.bias is not None}"
        )


class KernelConv2d(KernelConvolution):
    """``y[o, n] = b[o] + sum_(i, t) K[o, i, t] x[i, s n + t - padding]``; from (N, in, s H, s W) to (N, out, H, W)."""

    def forward(self, x: Tensor) -> Tensor:
        self._check(x, self.stride)
        before, after = self.padding
        kernel = self.kernel()
        if after and self.padding_mode == "circular":
            x = wrap(x, before, after)
        elif after > before:
            x = F.pad(x, (before, after, before, after))
        elif after:
            return F.conv2d(x, kernel, self.bias, self.stride, before)
        return F.conv2d(x, kernel, self.bias, self.stride)


class KernelConvTranspose2d(KernelConvolution):
    """The adjoint of a ``KernelConv2d``, and a bias; from (N, in, H, W) to (N, out, s H, s W)."""

    def forward(self, x: Tensor) -> Tensor:
        self._check(x, 1)
        before, after = self.padding
        y = F.conv_transpose2d(x, self.kernel(), None, self.stride)
        if after and self.padding_mode == "circular":
            y = unwrap(y, before, after)
        elif after:
            y = y[:, :, before : y.shape[2] - after, before : y.shape[3] - after]
        return y if self.bias is None else y + self.bias[:, None, None]


def kernel_convolution_rule(module: nn.Module) -> float:
    """The bound of the kernel as it is computed, on Z^2.

    On a torus whose sides the stride divides the frequencies are some of those on Z^2; zero padding restricts the
    operator to images that vanish outside, and the outputs to some of all.
    """
    if not isinstance(module, KernelConvolution):
        raise ValueError(f"it is no convolution with a kernel but a {type(module).__name__}")
    kernel = kernel_of(module)
    sizes, stride = tuple(kernel.shape[2:]), module.stride
    if min(module.padding) < 0 or any(sum(module.padding) != size - stride for size in sizes):
        raise ValueError(
            f"its padding {module.padding} does not fit its kernel of {sizes[0]} x {sizes[1]} with stride {stride}: "
            "outputs may be repeated"
        )
    return convolution_upper_bound(kernel, (stride, stride), (1, 1))


@torch.no_grad()
def kernel_of(module: KernelConvolution) -> Tensor:
    """The kernel as it is computed, in the dtype of the layer's parameters.

    Args:
        module: the layer, in evaluation mode.

    Raises:
        ValueError: it is no kernel, it is another one when it is computed again, or the bias does not fit it.
    """
    kernel = dense(module.kernel(), 4, "kernel")
    if not torch.equal(kernel, module.kernel()):
        raise ValueError("its kernel is another one each time that it is computed")
    check_bias(module.bias, kernel.shape[1 if isinstance(module, KernelConvTranspose2d) else 0])
    return kernel

"""Convolutions whose kernel is computed, and those whose reshaped kernel is under a constraint."""

from abc import abstractmethod
from numbers import Integral
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from wgan_lip.lipschitz.constraints.constraint import Constraint
from wgan_lip.lipschitz.constraints.norms import LInfNormalization
from wgan_lip.lipschitz.layers.linear import ConstrainedMatrix, Initial, check_l_infinity

PaddingMode = Literal["circular", "zeros"]
# A kernel size or stride, as torch.nn.Conv2d takes it.
Size: TypeAlias = int | tuple[int, int]


class KernelConv2d(nn.Module):
    """``y[o, n] = b[o] + sum_(i, t) K[o, i, t] x[i, s n + t - padding]``: sizes, bias and padding of such layers.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: k, on both axes, or (k, k); at least the stride.
        stride: s, on both axes, or (s, s); it must divide the height and the width of the input.
        padding_mode: "circular": images are a torus; "zeros": pixels outside of them are zero. ``k - s`` rows and
            columns are added, half of them on either side.
        bias: learn an additive bias for each output channel.

    Shape:
        ``(N, in_channels, s H, s W) -> (N, out_channels, H, W)``.

    Raises:
        ValueError: a size below 1, or not the same on both axes, a kernel smaller than the stride, an unknown padding
            mode; in ``forward``: an input that is no batch of images, or whose size the stride does not divide.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size,
        padding_mode: PaddingMode,
        bias: bool,
    ) -> None:
        super().__init__()
        layer = type(self).__name__
        kernel_size, stride = _one_size(layer, "kernel_size", kernel_size), _one_size(layer, "stride", stride)
        sizes = {"in_channels": in_channels, "out_channels": out_channels, "stride": stride}
        for name, value in sizes.items():
            if value < 1:
                raise ValueError(f"{layer} needs {name} >= 1; got {name}={value}")
        if kernel_size < stride:
            raise ValueError(
                f"{layer} needs kernel_size >= stride, so that every pixel is used; "
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
        """Compute the kernel, of shape (out, in, k, k)."""

    def forward(self, x: Tensor) -> Tensor:
        self._check(x)
        before, after = self.padding
        kernel = self.kernel()
        if after and self.padding_mode == "circular":
            x = _wrapped(x, before, after)
        elif after > before:
            x = F.pad(x, (before, after, before, after))
        elif after:
            return F.conv2d(x, kernel, self.bias, self.stride, before)
        return F.conv2d(x, kernel, self.bias, self.stride)

    def _check(self, x: Tensor) -> None:
        height_width, stride = tuple(x.shape[2:]), self.stride
        if x.ndim != 4 or x.shape[1] != self.in_channels or any(n % stride or n < 1 for n in height_width):
            wanted = f" with sides divisible by stride={stride}" if stride > 1 else ""
            raise ValueError(
                f"{type(self).__name__} needs images of shape (N, {self.in_channels}, H, W){wanted}; "
                f"got {tuple(x.shape)}"
            )
        if self.padding_mode == "circular" and max(self.padding) > min(height_width):
            raise ValueError(
                f"{type(self).__name__} with kernel_size={self.kernel_size} and circular padding needs sides of at "
                f"least {max(self.padding)}; got shape {tuple(x.shape)}"
            )

    def extra_repr(self) -> str:
        return (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}, "
            f"padding_mode={self.padding_mode!r}, bias={self.bias is not None}"
        )


def _wrapped(x: Tensor, before: int, after: int) -> Tensor:
    """Pad images with pixels of the opposite edges: ``F.pad(x, ..., "circular")``, with a faster gradient."""
    x = torch.cat((x[..., x.shape[-1] - before :], x, x[..., :after]), -1)
    return torch.cat((x[..., x.shape[-2] - before :, :], x, x[..., :after, :]), -2)


def _one_size(layer: str, name: str, value: Size) -> int:
    """Return a size that is given as one number, or as a pair of equal ones, as one number."""
    both: tuple[Any, ...] = tuple(value) if isinstance(value, tuple | list) else (value, value)
    if len(both) != 2 or not all(isinstance(side, Integral) and not isinstance(side, bool) for side in both):
        raise ValueError(f"{layer} needs {name} to be a whole number, or a pair of equal ones; got {name}={value!r}")
    if both[0] != both[1]:
        raise ValueError(f"{layer} needs the same {name} on both axes; got {name}={value!r}")
    return int(both[0])


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

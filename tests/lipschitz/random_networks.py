"""Random networks out of every class that ``certify`` accepts, with shared layers and replaced weights."""

import math
import random
from collections.abc import Callable

import torch
from torch import nn

from wgan_lip.lipschitz import (
    Abs,
    Bjorck,
    Cayley,
    ConstrainedConv2d,
    ConstrainedLinear,
    ConvexResidual,
    FullSort,
    GroupSort,
    Householder,
    LInfConv2d,
    LInfLinear,
    MaxMin,
    Maxout,
    NormPool2d,
    OrthogonalConv2d,
    OrthogonalLinear,
    Scale,
    ScaledAvgPool2d,
    SpectralNorm,
    SpectralProjection,
    StiefelRetraction,
)

Shape = tuple[int, ...]
DTYPES = (torch.float64, torch.float32, torch.bfloat16, torch.float16)


def random_network(seed: int) -> tuple[nn.Sequential, Shape]:
    """A network in evaluation mode and the shape of its samples."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return _Builder(random.Random(seed)).network()  # noqa: S311


class _Builder:
    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.kept: list[tuple[Shape, nn.Module]] = []

    def network(self) -> tuple[nn.Sequential, Shape]:
        rng = self.rng
        shape = rng.choice([(2,), (3,), (4,), (6,), (1, 4, 4), (2, 2, 4), (2, 4, 4), (1, 2, 2), (3, 3, 3), (4, 2, 2)])
        layers: list[nn.Module] = []
        given, last = shape, rng.randint(1, 6)
        for i in range(last):
            layer = self.keeping(shape, 2) if rng.random() < 0.5 else self.changing(shape)
            try:
                shape = self.shape_after(layer, shape)
            except (RuntimeError, ValueError):
                # A kernel that is larger than the image: without this layer then.
                continue
            layers.append(layer)
            if i == last // 2 and rng.random() < 0.3:
                layers = [nn.Sequential(*layers)]
        if len(shape) == 3 and rng.random() < 0.7:
            layers.append(nn.Flatten())
            shape = (math.prod(shape),)
        if len(shape) == 1 and rng.random() < 0.7:
            layers.append(nn.Linear(shape[0], rng.choice([1, 1, 2, 3])))
        network = nn.Sequential(*layers).eval()
        self.replace(network)
        return network.to(rng.choice(DTYPES)).eval(), given

    @staticmethod
    def shape_after(layer: nn.Module, shape: Shape) -> Shape:
        with torch.no_grad():
            return tuple(layer.eval()(torch.zeros(1, *shape)).shape[1:])

    def keeping(self, shape: Shape, depth: int) -> nn.Module:
        """A layer that keeps the shape; sometimes one that was used before."""
        rng, channels = self.rng, shape[0]
        before = [layer for kept, layer in self.kept if kept == shape]
        if before and rng.random() < 0.2:
            return rng.choice(before)
        dim = 1 if len(shape) == 3 else rng.choice([1, -1])
        in_place = rng.random() < 0.5
        slope = rng.choice([0.1, -0.5, 1.0, -3.0, 30.0])
        makers: list[Callable[[], nn.Module]] = [
            lambda: nn.ReLU(inplace=in_place),
            lambda: nn.LeakyReLU(slope, inplace=in_place),
            lambda: nn.Dropout(0.5, inplace=in_place),
            nn.Identity,
            nn.Tanh,
            nn.Sigmoid,
            Abs,
            lambda: FullSort(dim),
            lambda: GroupSort(rng.choice([k for k in range(1, channels + 1) if channels % k == 0]), dim),
            lambda: Scale(rng.choice([-1, 1]) * 2.0 ** rng.choice([-40, -3, -1, 0, 1, 3, 40, 300, -300])),
        ]
        if channels % 2 == 0:
            makers += [lambda: MaxMin(dim), lambda: self.turned(channels)]
        if depth:
            makers += 4 * [lambda: self.residual(shape, depth)]
        if len(shape) == 1:
            makers += 2 * [
                lambda: nn.Linear(channels, channels),
                lambda: OrthogonalLinear(channels, channels, constraint=rng.choice([StiefelRetraction(), Cayley()])),
                lambda: LInfLinear(channels, channels),
            ]
        else:
            mode = rng.choice(["zeros", "circular"])
            makers += [
                lambda: nn.Conv2d(channels, channels, 3, padding=rng.choice([1, "same"]), padding_mode=mode),
                lambda: OrthogonalConv2d(channels, channels, rng.choice([1, 2, 3]), padding_mode=mode),
                lambda: LInfConv2d(channels, channels, 3, 1, padding_mode=mode),
            ]
        layer = rng.choice(makers)()
        self.kept.append((shape, layer))
        return layer

    def changing(self, shape: Shape) -> nn.Module:
        """A layer that may change the shape."""
        rng, channels = self.rng, shape[0]
        out = rng.choice([1, 2, 4, 5])
        if len(shape) == 1:
            constraint = rng.choice([StiefelRetraction, Cayley, Bjorck, SpectralNorm, SpectralProjection])()
            makers: list[Callable[[], nn.Module]] = [
                lambda: nn.Linear(channels, out, bias=rng.random() < 0.7),
                lambda: ConstrainedLinear(channels, out, constraint),
                lambda: OrthogonalLinear(channels, out),
                lambda: Maxout(rng.choice([k for k in range(1, channels + 1) if channels % k == 0])),
            ]
            if channels == 4:
                makers.append(lambda: nn.Unflatten(1, (1, 2, 2)))
            return rng.choice(makers)()
        height, width = shape[1:]
        mode = rng.choice(["zeros", "circular"])
        # A stride must divide the sides, and the image stay small.
        even = height % 2 == 0 and width % 2 == 0
        small = height * width <= 4
        groups = 2 if channels % 2 == 0 and out % 2 == 0 and rng.random() < 0.5 else 1
        sizes = rng.choice([(1, 1), (1, 2), (2, 2), (2, 1)])
        makers = [
            nn.Flatten,
            lambda: nn.Conv2d(
                channels,
                out,
                sizes,
                stride=rng.choice([1, 1, 2, (1, 2)]),
                padding=rng.choice([0, 1, (1, 0)]),
                dilation=rng.choice([1, 1, (2, 1)]) if height > 2 else 1,
                groups=groups,
            ),
            lambda: nn.Conv2d(channels, out, (2, 2), padding="same", padding_mode=mode, groups=groups),
            lambda: Maxout(rng.choice([k for k in range(1, channels + 1) if channels % k == 0])),
        ]
        if even:
            makers += [
                lambda: ScaledAvgPool2d(2),
                lambda: NormPool2d(2),
                lambda: nn.PixelUnshuffle(2),
                lambda: OrthogonalConv2d(channels, out, rng.choice([2, 3]), 2, padding_mode=mode),
                lambda: ConstrainedConv2d(channels, out, 2, rng.choice([1, 2]), StiefelRetraction(), padding_mode=mode),
            ]
        if channels % 4 == 0:
            makers.append(lambda: nn.PixelShuffle(2))
        if small:
            makers += 2 * [
                lambda: nn.ConvTranspose2d(
                    channels, out, sizes, stride=2, padding=0, output_padding=rng.choice([0, 1]), groups=groups
                ),
            ]
        return rng.choice(makers)()

    def turned(self, channels: int) -> Householder:
        layer = Householder(channels)
        nn.init.uniform_(layer.theta, -7, 7)
        return layer

    def residual(self, shape: Shape, depth: int) -> ConvexResidual:
        branch = nn.Sequential(*(self.keeping(shape, depth - 1) for _ in range(self.rng.randint(1, 3))))
        layer = ConvexResidual(branch, self.rng.choice([1e-3, 0.1, 0.5, 0.75]))
        if self.rng.random() < 0.2:
            layer.weight = self.rng.choice([-0.5, 1.5, 3.0])
        return layer

    def replace(self, network: nn.Module) -> None:
        """Scale, shift and replace some parameters and attributes."""
        rng = self.rng
        for module in network.modules():
            for name, parameter in list(module.named_parameters(recurse=False)):
                kind = rng.random()
                with torch.no_grad():
                    if kind < 0.15:
                        parameter.mul_(2.0 ** rng.choice([-12, -4, 2, 9]))
                    elif kind < 0.25 and name == "bias":
                        parameter.add_(rng.choice([1.0, -100.0, 3e4]))
                    elif kind < 0.3:
                        setattr(module, name, nn.Parameter(torch.randn(parameter.shape)))
                    elif kind < 0.34:
                        setattr(module, name, nn.Parameter(torch.ones(parameter.shape)))
                    elif kind < 0.37 and parameter.ndim == 4:
                        setattr(module, name, nn.Parameter(parameter[:, :, :1, :1].clone()))
                    elif kind < 0.4 and name == "bias":
                        setattr(module, name, nn.Parameter(torch.randn(3, len(parameter))))
            if isinstance(getattr(module, "bases", None), nn.ModuleList) and rng.random() < 0.1:
                module.bases = module.bases[: len(module.bases) // 2]
            if isinstance(getattr(module, "padding", None), tuple) and rng.random() < 0.05:
                module.padding = rng.choice([(1, 1), (2, 2), (0, 1)])

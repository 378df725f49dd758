"""1-Lipschitz convolutional critics, by how their layers are built."""

from collections.abc import Callable
from dataclasses import dataclass

import deel.torchlip
import orthogonium.layers
from torch import nn
from torch.optim import Adam, Optimizer

from wgan_lip.lipschitz import (
    Bjorck,
    ConstrainedConv2d,
    ConstrainedLinear,
    GradientPenalty,
    MaxMin,
    OrthogonalConv2d,
    OrthogonalLinear,
    Penalty,
    Unconstrained,
    WeightClipping,
)
from wgan_lip.optim import StiefelAdam, StiefelMuon


@dataclass(frozen=True)
class Contender:
    """How to build one critic's layers, and what trains it.

    Attributes:
        conv: builds a convolution from input channels, output channels, kernel size and stride.
        linear: builds a linear layer.
        activation: builds an activation.
        optimizer: builds the optimiser from the parameters.
        rates: learning rates to try; None for those of the command line.
        penalty: added to the loss.
        is_certified: whether what is held is proven to bound the critic.
    """

    conv: Callable[[int, int, int, int], nn.Module]
    linear: Callable[[int, int], nn.Module]
    activation: Callable[[], nn.Module] = MaxMin
    optimizer: Callable[..., Optimizer] = Adam
    rates: tuple[float, ...] | None = None
    penalty: Penalty | None = None
    is_certified: bool = True


def _plain_conv(m: int, n: int, k: int, s: int) -> nn.Module:
    return ConstrainedConv2d(m, n, k, s, Unconstrained(), initial="uniform")


def _orthogonium_conv(m: int, n: int, k: int, s: int) -> nn.Module:
    padding = (k - s) // 2
    return orthogonium.layers.AdaptiveOrthoConv2d(m, n, k, s, padding=padding, padding_mode="circular")


def _clipped_conv(m: int, n: int, k: int, s: int) -> nn.Module:
    return ConstrainedConv2d(m, n, k, s, WeightClipping(0.03), initial="uniform")


CONTENDERS = {
    "orthogonal, Muon (wgan_lip)": Contender(OrthogonalConv2d, OrthogonalLinear, optimizer=StiefelMuon, rates=(0.03,)),
    "orthogonal, Adam (wgan_lip)": Contender(OrthogonalConv2d, OrthogonalLinear, optimizer=StiefelAdam, rates=(0.03,)),
    "AOC (orthogonium)": Contender(_orthogonium_conv, orthogonium.layers.OrthoLinear),
    "SpectralConv2d (deel-torchlip)": Contender(
        lambda m, n, k, s: deel.torchlip.SpectralConv2d(m, n, k, s, padding=(k - s) // 2),
        deel.torchlip.SpectralLinear,
    ),
    "reshaped kernel, Bjorck": Contender(
        lambda m, n, k, s: ConstrainedConv2d(m, n, k, s, Bjorck(iterations=20)),
        lambda m, n: ConstrainedLinear(m, n, Bjorck(iterations=20)),
    ),
    "gradient penalty": Contender(
        _plain_conv, nn.Linear, nn.LeakyReLU, penalty=GradientPenalty(10.0), is_certified=False
    ),
    "clipping": Contender(
        _clipped_conv, lambda m, n: ConstrainedLinear(m, n, WeightClipping(0.03)), nn.LeakyReLU, is_certified=False
    ),
}
UNCONSTRAINED = Contender(_plain_conv, nn.Linear, nn.ReLU, is_certified=False)

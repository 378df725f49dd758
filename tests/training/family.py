"""The family of Wasserstein GANs: what each injects, for samples of any image shape."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import nn

from wgan_lip.lipschitz import (
    Bjorck,
    ConstrainedConv2d,
    ConstrainedLinear,
    Constraint,
    GradientPenalty,
    MaxMin,
    OrthogonalConv2d,
    OrthogonalLinear,
    Penalty,
    SpectralNorm,
    Unconstrained,
    WeightClipping,
)
from wgan_lip.networks import ConvCritic, DCGANGenerator, LabelledGenerator
from wgan_lip.optim import StiefelMuon
from wgan_lip.training import ExponentialAverage, WassersteinGAN


@dataclass(frozen=True)
class Member:
    """One kind of GAN.

    Attributes:
        constraint: of the critic's layers; None for orthogonal ones.
        penalty: builds what is added to the critic's loss.
        is_proven: whether the critic is proven to be 1-Lipschitz.
    """

    constraint: Callable[[], Constraint] | None = None
    penalty: Callable[[], Penalty] | None = None
    is_proven: bool = False

    def conv(self, m: int, n: int, k: int, s: int) -> nn.Module:
        return (
            OrthogonalConv2d(m, n, k, s)
            if self.constraint is None
            else ConstrainedConv2d(m, n, k, s, self.constraint())
        )

    def linear(self, m: int, n: int) -> nn.Module:
        if self.constraint is None:
            return OrthogonalLinear(m, n)
        return ConstrainedLinear(m, n, self.constraint(), initial=self.initial)

    @property
    def initial(self) -> Literal["orthogonal", "uniform"]:
        return "orthogonal" if self.is_proven else "uniform"


FAMILY = {
    "Lipschitz WGAN": Member(is_proven=True),
    "reshaped Bjorck": Member(lambda: Bjorck(iterations=20), is_proven=True),
    "WGAN (clipping)": Member(lambda: WeightClipping(1.0)),
    "WGAN-GP": Member(Unconstrained, lambda: GradientPenalty(10.0)),
    "WGAN-LP": Member(Unconstrained, lambda: GradientPenalty(10.0, one_sided=True)),
    "spectrally normalised": Member(SpectralNorm),
}


def member_gan(name: str, shape: tuple[int, ...], classes: int = 0, seed: int = 0, **arguments: Any) -> WassersteinGAN:
    """A small GAN of the family, with an averaged generator that keeps batch statistics.

    Args:
        name: in ``FAMILY``.
        shape: of a sample.
        classes: how many of its channels are a label's.
        seed: what its weights are drawn from.
        arguments: those of ``WassersteinGAN``.
    """
    member = FAMILY[name]
    torch.manual_seed(seed)
    activation = MaxMin if member.penalty is None else nn.LeakyReLU
    critic = ConvCritic(shape, (4, 8), (8,), conv=member.conv, linear=member.linear, activation=activation)
    image = (shape[0] - classes, *shape[1:])
    generator = (
        LabelledGenerator(image, classes, 6, lambda s, n: DCGANGenerator(s, n, 4))
        if classes
        else DCGANGenerator(image, 6, 4)
    )
    options = {
        "n_critic": 2,
        "generator_steps": 2,
        "critic_optimizer": StiefelMuon if member.constraint is None else None,
        "penalty": member.penalty() if member.penalty else None,
        "generator_average": ExponentialAverage(0.9),
        "seed": seed,
        "log_every": 1,
    }
    return WassersteinGAN(critic, generator, **{**options, **arguments})

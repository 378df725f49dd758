"""Pairs of distributions, with their W1, optimal plan and optimal potential where these are known."""

from wgan_lip.distributions.dirac_images import DiracImages
from wgan_lip.distributions.funnels import Funnels
from wgan_lip.distributions.homothety import Gaussians, UniformCubes
from wgan_lip.distributions.pair import Pair, SamplePair, Truth
from wgan_lip.distributions.shells import AbsoluteValue, HighDimensionalCone, SphericalShells, ThreeCones

__all__ = [
    "AbsoluteValue",
    "DiracImages",
    "Funnels",
    "Gaussians",
    "HighDimensionalCone",
    "Pair",
    "SamplePair",
    "SphericalShells",
    "ThreeCones",
    "Truth",
    "UniformCubes",
]

"""Exact Wasserstein-1 distances between sample sets, each with a checked proof; what sampling does to them."""

from wgan_lip.transport.curve import W1Curve, w1_curve
from wgan_lip.transport.exact import Method, wasserstein1
from wgan_lip.transport.mcshane import McShaneExtension, c_transform, mcshane_extension
from wgan_lip.transport.noise_floor import NoiseFloor, noise_floor
from wgan_lip.transport.norm import Norm
from wgan_lip.transport.population import PopulationBracket, population_bracket
from wgan_lip.transport.population_lower import LowerBound, population_lower
from wgan_lip.transport.population_upper import UpperBound, population_upper
from wgan_lip.transport.progress import Progress
from wgan_lip.transport.result import Solution, UnprovenError, W1Result
from wgan_lip.transport.sliced import SlicedW1, sliced_wasserstein1

__all__ = [
    "LowerBound",
    "McShaneExtension",
    "Method",
    "NoiseFloor",
    "Norm",
    "PopulationBracket",
    "Progress",
    "SlicedW1",
    "Solution",
    "UnprovenError",
    "UpperBound",
    "W1Curve",
    "W1Result",
    "c_transform",
    "mcshane_extension",
    "noise_floor",
    "population_bracket",
    "population_lower",
    "population_upper",
    "sliced_wasserstein1",
    "w1_curve",
    "wasserstein1",
]

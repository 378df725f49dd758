"""Exact Wasserstein-1 distances between sample sets, each with a checked proof; what sampling does to them."""

from wgan_lip.transport.deviation import standard_error
from wgan_lip.transport.exact import Method, wasserstein1
from wgan_lip.transport.mcshane import McShaneExtension, c_transform, mcshane_extension
from wgan_lip.transport.norm import Norm, box_diameter, check_norm
from wgan_lip.transport.result import Progress, UnprovenError, W1Result
from wgan_lip.transport.samples import FloatArray
from wgan_lip.transport.statistics.assumptions import Spread, delta_of_look, spreads
from wgan_lip.transport.statistics.noise_floor import NoiseFloor, noise_floor
from wgan_lip.transport.statistics.population import FEWEST_SAMPLES, PopulationBracket, population_bracket, split_lower
from wgan_lip.transport.statistics.population_lower import LowerBound, population_lower
from wgan_lip.transport.statistics.population_upper import UpperBound, population_upper
from wgan_lip.transport.statistics.sliced import SlicedW1, sliced_wasserstein1

__all__ = [
    "FEWEST_SAMPLES",
    "FloatArray",
    "LowerBound",
    "McShaneExtension",
    "Method",
    "NoiseFloor",
    "Norm",
    "PopulationBracket",
    "Progress",
    "SlicedW1",
    "Spread",
    "UnprovenError",
    "UpperBound",
    "W1Result",
    "box_diameter",
    "c_transform",
    "check_norm",
    "delta_of_look",
    "mcshane_extension",
    "noise_floor",
    "population_bracket",
    "population_lower",
    "population_upper",
    "sliced_wasserstein1",
    "split_lower",
    "spreads",
    "standard_error",
    "wasserstein1",
]

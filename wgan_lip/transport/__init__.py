"""Exact Wasserstein-1 distances between sample sets, each with a checked proof of optimality."""

from wgan_lip.transport.exact import Method, wasserstein1
from wgan_lip.transport.norm import Norm
from wgan_lip.transport.progress import Progress
from wgan_lip.transport.result import Solution, UnprovenError, W1Result

__all__ = ["Method", "Norm", "Progress", "Solution", "UnprovenError", "W1Result", "wasserstein1"]

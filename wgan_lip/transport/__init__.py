"""Exact Wasserstein-1 distances between sample sets, each with a checked proof of optimality."""

from wgan_lip.transport.exact import wasserstein1
from wgan_lip.transport.result import Solution, UnprovenError, W1Result

__all__ = ["Solution", "UnprovenError", "W1Result", "wasserstein1"]

"""Exact Wasserstein-1 distances between sample sets, each with a checked proof of optimality."""

from wgan_lip.transport.exact import wasserstein1
from wgan_lip.transport.result import UnprovenError, W1Result

__all__ = ["UnprovenError", "W1Result", "wasserstein1"]

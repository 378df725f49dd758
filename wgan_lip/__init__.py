"""Wasserstein GANs with a 1-Lipschitz critic, set against the exact Wasserstein-1 distance."""

__version__ = "0.1.0"

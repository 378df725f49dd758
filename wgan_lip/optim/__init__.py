"""Optimisers that keep orthogonal weights orthogonal."""

from wgan_lip.optim.stiefel_optimizers import StiefelAdam, StiefelMuon

__all__ = ["StiefelAdam", "StiefelMuon"]

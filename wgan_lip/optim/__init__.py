"""Optimisers that keep orthogonal weights orthogonal."""

from wgan_lip.optim.stiefel_adam import StiefelAdam
from wgan_lip.optim.stiefel_muon import StiefelMuon

__all__ = ["StiefelAdam", "StiefelMuon"]

"""Optimisers that keep orthogonal weights orthogonal, and AggMo."""

from wgan_lip.optim.aggmo import AggMo
from wgan_lip.optim.stiefel_adam import StiefelAdam
from wgan_lip.optim.stiefel_muon import StiefelMuon

__all__ = ["AggMo", "StiefelAdam", "StiefelMuon"]

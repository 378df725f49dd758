"""Critics and generators."""

from wgan_lip.networks.defaults import CriticFactory, default_critic
from wgan_lip.networks.mlp import MLPCritic, MLPGenerator

__all__ = ["CriticFactory", "MLPCritic", "MLPGenerator", "default_critic"]

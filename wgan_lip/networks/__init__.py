"""Critics and generators."""

from wgan_lip.networks.mlp import MLPCritic, MLPGenerator

__all__ = ["MLPCritic", "MLPGenerator"]

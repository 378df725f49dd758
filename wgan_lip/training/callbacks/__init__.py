"""Callbacks that act every so many of a module's own steps."""

from wgan_lip.training.callbacks.certified_accuracy import CertifiedAccuracy, default_eps, draw_images
from wgan_lip.training.callbacks.every_steps import EvaluateEverySteps, EverySteps, LastStep, MonitorEvaluations, Result
from wgan_lip.training.callbacks.exact_w1 import ExactW1
from wgan_lip.training.callbacks.feature_quality import FeatureQuality
from wgan_lip.training.callbacks.gradient_norms import GradientNorms, gan_points, network_and_points, pair_points
from wgan_lip.training.callbacks.heldout_w1 import HeldOutW1
from wgan_lip.training.callbacks.sample_grid import SampleGrid

__all__ = [
    "CertifiedAccuracy",
    "EvaluateEverySteps",
    "EverySteps",
    "ExactW1",
    "FeatureQuality",
    "GradientNorms",
    "HeldOutW1",
    "LastStep",
    "MonitorEvaluations",
    "Result",
    "SampleGrid",
    "default_eps",
    "draw_images",
    "gan_points",
    "network_and_points",
    "pair_points",
]

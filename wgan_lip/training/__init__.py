"""Lightning modules and callbacks."""

from wgan_lip.training.averaging import ExponentialAverage
from wgan_lip.training.callbacks import (
    CertifiedAccuracy,
    EvaluateEverySteps,
    EverySteps,
    ExactW1,
    FeatureQuality,
    GradientNorms,
    HeldOutW1,
    LastStep,
    MonitorEvaluations,
    Result,
    SampleGrid,
    default_eps,
    draw_images,
    gan_points,
    network_and_points,
    pair_points,
)
from wgan_lip.training.callbacks.feature_quality import describe, load_features, save_features, train_features
from wgan_lip.training.checks import check_strategy, check_weights
from wgan_lip.training.ranks import LostRankError, OtherRankError, lost_ranks_named
from wgan_lip.training.robust_classifier import RandomShift, RobustClassifier, images_and_labels
from wgan_lip.training.stepped import CHECKPOINT_KEY, SteppedModule, plain_fit
from wgan_lip.training.w1_estimator import W1Estimator, load_pair
from wgan_lip.training.wgan import WassersteinGAN

__all__ = [
    "CHECKPOINT_KEY",
    "CertifiedAccuracy",
    "EvaluateEverySteps",
    "EverySteps",
    "ExactW1",
    "ExponentialAverage",
    "FeatureQuality",
    "GradientNorms",
    "HeldOutW1",
    "LastStep",
    "LostRankError",
    "MonitorEvaluations",
    "OtherRankError",
    "RandomShift",
    "Result",
    "RobustClassifier",
    "SampleGrid",
    "SteppedModule",
    "W1Estimator",
    "WassersteinGAN",
    "check_strategy",
    "check_weights",
    "default_eps",
    "describe",
    "draw_images",
    "gan_points",
    "images_and_labels",
    "load_features",
    "load_pair",
    "lost_ranks_named",
    "network_and_points",
    "pair_points",
    "plain_fit",
    "save_features",
    "train_features",
]

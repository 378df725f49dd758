"""Lightning modules and callbacks."""

from wgan_lip.training.augmentation import RandomShift
from wgan_lip.training.averaging import ExponentialAverage, TailAverage, WeightAverage
from wgan_lip.training.callbacks import (
    CertifiedAccuracy,
    EvaluateEverySteps,
    EverySteps,
    ExactW1,
    FeatureQuality,
    FeatureScores,
    GradientNorms,
    HeldOutW1,
    SampleGrid,
    compare_features,
    default_eps,
    draw_images,
    gan_points,
    pair_points,
)
from wgan_lip.training.features import describe, load_features, save_features, train_features
from wgan_lip.training.load_pair import load_pair
from wgan_lip.training.plain_fit import plain_fit
from wgan_lip.training.robust_classifier import RobustClassifier, images_and_labels
from wgan_lip.training.stepped import SteppedModule
from wgan_lip.training.w1_estimator import W1Estimator
from wgan_lip.training.wgan import WassersteinGAN

__all__ = [
    "CertifiedAccuracy",
    "EvaluateEverySteps",
    "EverySteps",
    "ExactW1",
    "ExponentialAverage",
    "FeatureQuality",
    "FeatureScores",
    "GradientNorms",
    "HeldOutW1",
    "RandomShift",
    "RobustClassifier",
    "SampleGrid",
    "SteppedModule",
    "TailAverage",
    "W1Estimator",
    "WassersteinGAN",
    "WeightAverage",
    "compare_features",
    "default_eps",
    "describe",
    "draw_images",
    "gan_points",
    "images_and_labels",
    "load_features",
    "load_pair",
    "pair_points",
    "plain_fit",
    "save_features",
    "train_features",
]

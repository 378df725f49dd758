"""Lightning modules and callbacks."""

from wgan_lip.training.augmentation import RandomShift
from wgan_lip.training.averaging import ExponentialAverage, TailAverage, WeightAverage
from wgan_lip.training.certified_accuracy import CertifiedAccuracy, default_eps, draw_images
from wgan_lip.training.checkpoint import SaveCheckpoint
from wgan_lip.training.estimate import Estimate, evaluate_estimator, score_heldout
from wgan_lip.training.evaluation import BrokenBoundError, Evaluation, evaluate
from wgan_lip.training.every_steps import EvaluateEverySteps, EverySteps
from wgan_lip.training.exact_w1 import ExactW1
from wgan_lip.training.feature_quality import FeatureQuality, FeatureScores, compare_features
from wgan_lip.training.features import describe, load_features, save_features, train_features
from wgan_lip.training.gradient_norms import GradientNorms
from wgan_lip.training.gradient_points import gan_points, pair_points
from wgan_lip.training.heldout import HeldOut, draw_heldout
from wgan_lip.training.heldout_w1 import HeldOutW1
from wgan_lip.training.inception_quality import InceptionQuality, InceptionScores, compare_on_inception
from wgan_lip.training.load_pair import load_pair
from wgan_lip.training.loggers import MetricsCSV, log_picture, wandb_logger
from wgan_lip.training.plain_fit import plain_fit
from wgan_lip.training.progress import StepProgress
from wgan_lip.training.robust_classifier import RobustClassifier, images_and_labels
from wgan_lip.training.sample_grid import SampleGrid
from wgan_lip.training.stepped import SteppedModule
from wgan_lip.training.w1_estimator import W1Estimator
from wgan_lip.training.wgan import WassersteinGAN

__all__ = [
    "BrokenBoundError",
    "CertifiedAccuracy",
    "Estimate",
    "EvaluateEverySteps",
    "Evaluation",
    "EverySteps",
    "ExactW1",
    "ExponentialAverage",
    "FeatureQuality",
    "FeatureScores",
    "GradientNorms",
    "HeldOut",
    "HeldOutW1",
    "InceptionQuality",
    "InceptionScores",
    "MetricsCSV",
    "RandomShift",
    "RobustClassifier",
    "SampleGrid",
    "SaveCheckpoint",
    "StepProgress",
    "SteppedModule",
    "TailAverage",
    "W1Estimator",
    "WassersteinGAN",
    "WeightAverage",
    "compare_features",
    "compare_on_inception",
    "default_eps",
    "describe",
    "draw_heldout",
    "draw_images",
    "evaluate",
    "evaluate_estimator",
    "gan_points",
    "images_and_labels",
    "load_features",
    "load_pair",
    "log_picture",
    "pair_points",
    "plain_fit",
    "save_features",
    "score_heldout",
    "train_features",
    "wandb_logger",
]

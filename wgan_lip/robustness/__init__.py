"""Robustness of classifiers: what is proven, attacks that try to break it, and losses that train for it."""

from wgan_lip.robustness.attacks import FGSM, PGD, Attack, Found
from wgan_lip.robustness.ball import Ball
from wgan_lip.robustness.certified import BrokenCertificateError, RobustnessCertificate, certify_classifier
from wgan_lip.robustness.directions import margins
from wgan_lip.robustness.losses import ClassificationLoss, CrossEntropy, MarginCrossEntropy, MulticlassHinge
from wgan_lip.robustness.measure import RobustAccuracy, Robustness, measure_robustness, robustness_so_far
from wgan_lip.robustness.median import median_interval
from wgan_lip.robustness.robust_accuracy import Accuracy, Attacked, accuracy, attacked

__all__ = [
    "FGSM",
    "PGD",
    "Accuracy",
    "Attack",
    "Attacked",
    "Ball",
    "BrokenCertificateError",
    "ClassificationLoss",
    "CrossEntropy",
    "Found",
    "MarginCrossEntropy",
    "MulticlassHinge",
    "RobustAccuracy",
    "Robustness",
    "RobustnessCertificate",
    "accuracy",
    "attacked",
    "certify_classifier",
    "margins",
    "measure_robustness",
    "median_interval",
    "robustness_so_far",
]

"""Robustness of classifiers: certified radii, attacks, and losses that enlarge margins."""

from wgan_lip.robustness.attacks import FGSM, PGD, Attack, AttackResult, attacked
from wgan_lip.robustness.ball import Ball, check_norm
from wgan_lip.robustness.certified import BrokenCertificateError, RobustnessCertificate, certify_classifier
from wgan_lip.robustness.losses import (
    ClassificationLoss,
    CrossEntropy,
    MarginCrossEntropy,
    MulticlassHinge,
    margins,
)
from wgan_lip.robustness.measure import (
    Accuracy,
    RobustAccuracy,
    Robustness,
    accuracy,
    measure_robustness,
    median_interval,
    robustness_so_far,
)

__all__ = [
    "FGSM",
    "PGD",
    "Accuracy",
    "Attack",
    "AttackResult",
    "Ball",
    "BrokenCertificateError",
    "ClassificationLoss",
    "CrossEntropy",
    "MarginCrossEntropy",
    "MulticlassHinge",
    "RobustAccuracy",
    "Robustness",
    "RobustnessCertificate",
    "accuracy",
    "attacked",
    "certify_classifier",
    "check_norm",
    "margins",
    "measure_robustness",
    "median_interval",
    "robustness_so_far",
]

"""Robustness of classifiers: attacks that try to break what is proven, and accuracies with their sampling error."""

from wgan_lip.robustness.attacks import FGSM, PGD, Attack, Found
from wgan_lip.robustness.ball import Ball
from wgan_lip.robustness.directions import margins
from wgan_lip.robustness.robust_accuracy import Accuracy, Attacked, accuracy, attacked

__all__ = ["FGSM", "PGD", "Accuracy", "Attack", "Attacked", "Ball", "Found", "accuracy", "attacked", "margins"]

"""A critic against the truth: estimates, exact values and bounds, without Lightning."""

from wgan_lip.evaluation.estimate import Estimate, evaluate_estimator, score_heldout
from wgan_lip.evaluation.evaluation import Evaluation, evaluate
from wgan_lip.evaluation.heldout import HeldOut, check_sizes, draw_heldout
from wgan_lip.evaluation.image_quality import (
    FeatureScores,
    InceptionQuality,
    InceptionScores,
    compare_features,
    compare_on_inception,
)
from wgan_lip.evaluation.scored_critic import BrokenBoundError, ScoredCritic, score

__all__ = [
    "BrokenBoundError",
    "Estimate",
    "Evaluation",
    "FeatureScores",
    "HeldOut",
    "InceptionQuality",
    "InceptionScores",
    "ScoredCritic",
    "check_sizes",
    "compare_features",
    "compare_on_inception",
    "draw_heldout",
    "evaluate",
    "evaluate_estimator",
    "score",
    "score_heldout",
]

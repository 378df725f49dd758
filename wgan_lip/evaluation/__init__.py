"""A critic against the truth: estimates, exact values and bounds, without Lightning."""

from wgan_lip.evaluation.distances import Distances
from wgan_lip.evaluation.estimate import Estimate, evaluate_estimator, score_heldout
from wgan_lip.evaluation.evaluation import Evaluation, Evaluations, evaluate
from wgan_lip.evaluation.feature_map import (
    Feature,
    FeatureMap,
    Features,
    axes_of,
    certified_map,
    check_features,
    critic_features,
    name_of,
    principal_axes,
)
from wgan_lip.evaluation.fitted import FittedCritic, fit_critic
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
    "Distances",
    "Estimate",
    "Evaluation",
    "Evaluations",
    "Feature",
    "FeatureMap",
    "FeatureScores",
    "Features",
    "FittedCritic",
    "HeldOut",
    "InceptionQuality",
    "InceptionScores",
    "ScoredCritic",
    "axes_of",
    "certified_map",
    "check_features",
    "check_sizes",
    "compare_features",
    "compare_on_inception",
    "critic_features",
    "draw_heldout",
    "evaluate",
    "evaluate_estimator",
    "fit_critic",
    "name_of",
    "principal_axes",
    "score",
    "score_heldout",
]

"""Lightning modules and callbacks."""

from wgan_lip.training.checkpoint import SaveCheckpoint
from wgan_lip.training.evaluation import BrokenBoundError, Evaluation, evaluate
from wgan_lip.training.exact_w1 import ExactW1
from wgan_lip.training.loggers import MetricsCSV, log_picture, wandb_logger
from wgan_lip.training.progress import StepProgress
from wgan_lip.training.sample_grid import SampleGrid
from wgan_lip.training.wgan import WassersteinGAN

__all__ = [
    "BrokenBoundError",
    "Evaluation",
    "ExactW1",
    "MetricsCSV",
    "SampleGrid",
    "SaveCheckpoint",
    "StepProgress",
    "WassersteinGAN",
    "evaluate",
    "log_picture",
    "wandb_logger",
]

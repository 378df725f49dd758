"""Run folders: start and preemption, checkpoints, loggers, progress."""

from wgan_lip.runs.loggers import MetricsCSV, wandb_logger
from wgan_lip.runs.progress import StepProgress
from wgan_lip.runs.save_checkpoint import SaveCheckpoint

__all__ = ["MetricsCSV", "SaveCheckpoint", "StepProgress", "wandb_logger"]

"""Run folders, start and preemption, checkpoints, loggers, progress."""

from wgan_lip.runs.checkpoint import SaveCheckpoint
from wgan_lip.runs.metrics_csv import MetricsCSV
from wgan_lip.runs.progress import StepProgress
from wgan_lip.runs.wandb_tracking import wandb_logger

__all__ = ["MetricsCSV", "SaveCheckpoint", "StepProgress", "wandb_logger"]

"""Run folders, start and preemption, checkpoints, loggers, progress."""

from wgan_lip.runs.checkpoint import SaveCheckpoint, check_checkpoint, load_checkpoint
from wgan_lip.runs.launcher import is_rank_0
from wgan_lip.runs.metrics_csv import MetricsCSV, read_metrics_file
from wgan_lip.runs.preemption import NoteSignals, PreemptedError, Preemption, is_preempted, requeue_job
from wgan_lip.runs.progress import StepProgress
from wgan_lip.runs.run_folder import finished_step, is_checkpoint_of, mark_finished, opened_run
from wgan_lip.runs.run_lock import check_not_locked, locked
from wgan_lip.runs.start import Start, check_name, checkpoint_at, find_checkpoint, find_evaluated, find_start
from wgan_lip.runs.wandb_mode import WandbMode
from wgan_lip.runs.wandb_tracking import (
    ignore_ended_wandb,
    ignore_unreachable_wandb,
    log_table,
    online_runs,
    upload,
    wandb_logger,
)

__all__ = [
    "MetricsCSV",
    "NoteSignals",
    "PreemptedError",
    "Preemption",
    "SaveCheckpoint",
    "Start",
    "StepProgress",
    "WandbMode",
    "check_checkpoint",
    "check_name",
    "check_not_locked",
    "checkpoint_at",
    "find_checkpoint",
    "find_evaluated",
    "find_start",
    "finished_step",
    "ignore_ended_wandb",
    "ignore_unreachable_wandb",
    "is_checkpoint_of",
    "is_preempted",
    "is_rank_0",
    "load_checkpoint",
    "locked",
    "log_table",
    "mark_finished",
    "online_runs",
    "opened_run",
    "read_metrics_file",
    "requeue_job",
    "upload",
    "wandb_logger",
]

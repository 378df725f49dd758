"""A training that a signal asks to stop does so after the step that it is at, with a checkpoint of it."""

import re
import signal
import subprocess
import threading
from collections.abc import Mapping
from types import FrameType
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer

from wgan_lip.runs.save_checkpoint import SaveCheckpoint
from wgan_lip.training import SteppedModule

# Slurm sends what ``--signal`` names before the time is up, submitit has it send SIGUSR2; who preempts sends SIGTERM.
# Windows has but the last.
_REQUEUING = tuple(one for one in signal.Signals if one.name in ("SIGUSR1", "SIGUSR2"))
CAUGHT = (*_REQUEUING, signal.SIGTERM)


class PreemptedError(Exception):
    """A training was stopped by a signal; all of it is in the checkpoint.

    Attributes:
        signum: the signal.
        requeue: whether whoever sent it means the training to go on, as one does with SIGUSR1 and SIGUSR2.
    """

    def __init__(self, signum: signal.Signals) -> None:
        super().__init__(f"stopped by {signum.name}")
        self.signum = signum
        self.requeue = signum in _REQUEUING


class NoteSignals(Callback):
    """Notes the first SIGUSR1, SIGUSR2 or SIGTERM while it trains, and does nothing else.

    Lightning's own handler of SIGTERM, which it replaces, has processes talk to each other in the middle of whatever
    they do. It must be the first of the callbacks, lest a signal find that handler while another evaluates at step 0.
    Lightning restores the handlers that it found.

    Attributes:
        noted: the signal; None before one came.
    """

    def __init__(self) -> None:
        self.noted: signal.Signals | None = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.noted = signal.SIGTERM if trainer.received_sigterm else None
        # Elsewhere Python allows no handlers, and Lightning sets none.
        if threading.current_thread() is threading.main_thread():
            for signum in CAUGHT:
                signal.signal(signum, self._note)

    def _note(self, signum: int, frame: FrameType | None) -> None:
        if self.noted is None:
            self.noted = signal.Signals(signum)


class Preemption(Callback):
    """Saves a checkpoint and ends the training after the batch during which a process of it was sent a signal.

    All processes agree on it, so all stop after the same batch. It must come after all callbacks that evaluate or draw,
    so that what was due at this step is done and in the checkpoint (Lightning itself puts ``SaveCheckpoint`` last). It
    ends the training by an exception: what callbacks do when training is done is left to the run that goes on.

    Args:
        signals: the first of the callbacks.

    Raises:
        PreemptedError: while it trains, on all processes, once the checkpoint is saved.
        OSError: while it trains: the checkpoint cannot be saved.
    """

    def __init__(self, signals: NoteSignals) -> None:
        self._signals = signals

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        if not isinstance(pl_module, SteppedModule):
            return
        noted, ranks = self._signals.noted, pl_module.ranks
        if not ranks.any(noted is not None):
            return
        # Not all processes need have been sent the same, or any.
        agreed = signal.SIGTERM
        for signum in _REQUEUING:
            if ranks.any(noted is signum):
                agreed = signum
        for callback in trainer.checkpoint_callbacks:
            if isinstance(callback, SaveCheckpoint):
                # Whether or not it saved at this step: a module may take several batches for one.
                callback.last_step = pl_module.step
                callback.act(trainer, pl_module)
        raise PreemptedError(agreed)


def requeue_job(environ: Mapping[str, str]) -> str | None:
    """Have Slurm end the job that this process is of, and start it again.

    Args:
        environ: of the process.

    Returns:
        The job's id; None if this is no job of Slurm's that could be started again.

    Raises:
        OSError: ``scontrol`` is missing or failed.
    """
    job = _job(environ)
    if job is not None:
        try:
            _scontrol("requeue", job)
        except OSError as error:
            raise OSError(f"{error}: submit the job again") from error
    return job


def ends_for_others(environ: Mapping[str, str]) -> bool:
    """Whether Slurm is about to give this process's job's nodes to others, which the job may still leave by itself.

    Slurm then sends SIGTERM, as it does to a job that is cancelled, and at the end of the grace time requeues the job:
    but not one that has ended before, which it takes to have failed.

    Args:
        environ: of the process.

    Raises:
        OSError: ``scontrol`` is missing or failed.
    """
    job = _job(environ)
    if job is None:
        return False
    said = _scontrol("show", "job", "--oneliner", job)
    # Without grace, Slurm has requeued it already, and it is completing.
    return "JobState=RUNNING" in said and re.search(r"PreemptTime=\d", said) is not None


def _job(environ: Mapping[str, str]) -> str | None:
    if "SLURM_JOB_ID" not in environ or environ.get("SLURM_JOB_NAME") in ("bash", "interactive"):
        return None
    if "SLURM_ARRAY_JOB_ID" in environ:
        return f"{environ['SLURM_ARRAY_JOB_ID']}_{environ['SLURM_ARRAY_TASK_ID']}"
    return environ["SLURM_JOB_ID"]


def _scontrol(*arguments: str) -> str:
    # Wherever the cluster keeps it.
    command = ["scontrol", *arguments]
    try:
        done = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace")  # noqa: S603
    except OSError as error:
        raise OSError(f"{' '.join(command)}: {error.strerror}") from error
    if done.returncode != 0:
        raise OSError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout

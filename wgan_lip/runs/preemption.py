"""Preemption: a signal stops the training after its current step, with a checkpoint; Slurm may requeue the job."""

import re
import signal
import subprocess
import threading
from collections.abc import Mapping
from types import FrameType
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer

from wgan_lip.runs.checkpoint import SaveCheckpoint
from wgan_lip.training import SteppedModule

# Before the time limit Slurm sends the signal that ``--signal`` names (SIGUSR2 by submitit); to preempt or cancel a job
# it sends SIGTERM. Windows has only the last.
_REQUEUING = tuple(one for one in signal.Signals if one.name in ("SIGUSR1", "SIGUSR2"))
CAUGHT = (*_REQUEUING, signal.SIGTERM)


class PreemptedError(Exception):
    """A signal stopped the training; its state is in the checkpoint.

    Attributes:
        signum: the signal.
        requeue: whether the signal asks for a continuation in another job, as SIGUSR1 and SIGUSR2 do.
    """

    def __init__(self, signum: signal.Signals) -> None:
        super().__init__(f"stopped by {signum.name}")
        self.signum = signum
        self.requeue = signum in _REQUEUING


class NoteSignals(Callback):
    """A callback that records the first SIGUSR1, SIGUSR2 or SIGTERM during the training.

    It replaces Lightning's handler of SIGTERM, in which processes communicate in the middle of whatever they do. It
    must be the first callback, so that a signal while another one evaluates at step 0 does not reach that handler.
    Lightning restores the previous handlers at the end.

    Attributes:
        noted: the signal; None before the first.
    """

    def __init__(self) -> None:
        self.noted: signal.Signals | None = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.noted = signal.SIGTERM if trainer.received_sigterm else None
        # In other threads Python allows no handlers.
        if threading.current_thread() is threading.main_thread():
            for signum in CAUGHT:
                signal.signal(signum, self._note)

    def _note(self, signum: int, frame: FrameType | None) -> None:
        if self.noted is None:
            self.noted = signal.Signals(signum)


class Preemption(Callback):
    """A callback that saves a checkpoint and ends the training after the batch in which any process got a signal.

    The processes agree on it, so that all stop after the same batch. It must come after all callbacks that evaluate or
    draw, so that the checkpoint includes what was due at this step (Lightning puts ``SaveCheckpoint`` last anyway). It
    ends the training by an exception, because what callbacks do at the end of a training is left to the resumed run.

    Args:
        signals: the first callback.

    Raises:
        PreemptedError: during the training, on all processes, after the checkpoint was saved.
        OSError: during the training: the checkpoint cannot be saved.
    """

    def __init__(self, signals: NoteSignals) -> None:
        self._signals = signals

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        if not isinstance(pl_module, SteppedModule):
            return
        noted, ranks = self._signals.noted, pl_module.ranks
        if not ranks.any(noted is not None):
            return
        # Processes may have got different signals, or none.
        agreed = signal.SIGTERM
        for signum in _REQUEUING:
            if ranks.any(noted is signum):
                agreed = signum
        for callback in trainer.checkpoint_callbacks:
            if isinstance(callback, SaveCheckpoint):
                # Even if it saved at this step already: a step may take several batches.
                callback.last_step = pl_module.step
                callback.act(trainer, pl_module)
        raise PreemptedError(agreed)


def requeue_job(environ: Mapping[str, str]) -> str | None:
    """Requeue the Slurm job that this process belongs to, which ends it.

    Args:
        environ: of the process.

    Returns:
        The job's id; None outside of batch jobs.

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


def is_preempted(environ: Mapping[str, str]) -> bool:
    """Return whether Slurm preempts this process's job, and the job still runs in its grace time.

    Slurm then sends SIGTERM, as it does to a cancelled job, and requeues the job at the end of the grace time, unless
    the job has ended before: that one it counts as failed, so it must requeue itself.

    Args:
        environ: of the process.

    Raises:
        OSError: ``scontrol`` is missing or failed.
    """
    job = _job(environ)
    if job is None:
        return False
    shown = _scontrol("show", "job", "--oneliner", job)
    # Without a grace time, Slurm has already requeued it, and its state is COMPLETING.
    return "JobState=RUNNING" in shown and re.search(r"PreemptTime=\d", shown) is not None


def _job(environ: Mapping[str, str]) -> str | None:
    if "SLURM_JOB_ID" not in environ or environ.get("SLURM_JOB_NAME") in ("bash", "interactive"):
        return None
    if "SLURM_ARRAY_JOB_ID" in environ:
        return f"{environ['SLURM_ARRAY_JOB_ID']}_{environ['SLURM_ARRAY_TASK_ID']}"
    return environ["SLURM_JOB_ID"]


def _scontrol(*arguments: str) -> str:
    # On the PATH, because clusters install it in different places.
    command = ["scontrol", *arguments]
    try:
        done = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace")  # noqa: S603
    except OSError as error:
        raise OSError(f"{' '.join(command)}: {error.strerror}") from error
    if done.returncode != 0:
        raise OSError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout

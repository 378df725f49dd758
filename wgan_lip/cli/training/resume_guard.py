"""Errors of a resumed training: those before its first step name the checkpoint."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning import Callback, LightningModule, Trainer

from wgan_lip.runs import PreemptedError
from wgan_lip.training import LostRankError, OtherRankError, SteppedModule
from wgan_lip.transport import UnprovenError

# Errors that are printed as one line anyway, and the exception of a preemption.
_ONE_LINE = (
    *(ValueError, OSError, MemoryError, MisconfigurationException),
    *(UnprovenError, LostRankError, OtherRankError, PreemptedError),
)


class ResumeGuard(Callback):
    """A callback that records when the state of a checkpoint has been used once, by a step or an evaluation.

    Lightning, optimisers and schedules accept any state of a checkpoint, and raise errors of any kind when they use it.
    It must come after all callbacks that evaluate.

    Args:
        path: the checkpoint; None if the training begins at step 0.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._first_step = -1
        self._used = path is None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if isinstance(pl_module, SteppedModule):
            self._first_step = pl_module.step

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        # A step of the module may take several batches.
        if not isinstance(pl_module, SteppedModule) or pl_module.step > self._first_step:
            self._used = True

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._used = True

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._used = True

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._used = True

    @contextmanager
    def checkpoint_named(self) -> Iterator[None]:
        """Name the checkpoint in an error that is raised before its state has been used.

        Raises:
            ValueError: instead of any error that is not printed as one line anyway.
        """
        try:
            yield
        except _ONE_LINE as error:
            if self._used or not isinstance(error, ValueError) or str(self._path) in str(error):
                raise
            raise ValueError(f"cannot resume from {self._path}: {error}") from error
        except Exception as error:
            if self._used:
                raise
            raise ValueError(f"cannot resume from {self._path}: {type(error).__name__}: {error}") from error

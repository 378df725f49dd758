"""Lightning's callbacks that watch a metric, told when there is a new value of it."""

from collections.abc import Iterable
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.callbacks import EarlyStopping, ModelCheckpoint

from wgan_lip.training.callbacks.every_steps import EvaluateEverySteps
from wgan_lip.training.stepped import SteppedModule


class MonitorEvaluations(Callback):
    """Has ``EarlyStopping`` and ``ModelCheckpoint`` act after each evaluation, as they do after a validation.

    By themselves they act at the end of each of Lightning's epochs, of which there may be hundreds between two
    evaluations, or none; ``patience`` is a number of evaluations. It comes after all that evaluates and draws, so that
    a checkpoint holds what was done at its step. What a monitor may watch is whatever the module logs.

    Args:
        callbacks: of the trainer; those that say nothing else act after evaluations only.

    Raises:
        ValueError: while it trains: a monitor of what is not logged.
    """

    def __init__(self, callbacks: Iterable[Callback]) -> None:
        self._seen = -1
        for callback in callbacks:
            if isinstance(callback, EarlyStopping) and callback._check_on_train_epoch_end is None:
                callback._check_on_train_epoch_end = False
            elif isinstance(callback, ModelCheckpoint) and callback._save_on_train_epoch_end is None:
                callback._save_on_train_epoch_end = False

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._tell(trainer, pl_module)

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        self._tell(trainer, pl_module)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._tell(trainer, pl_module)

    def _tell(self, trainer: Trainer, module: LightningModule) -> None:
        callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]
        evaluation = next((one for one in callbacks if isinstance(one, EvaluateEverySteps)), None)
        if evaluation is None or evaluation.last is None or not isinstance(module, SteppedModule):
            return
        if evaluation.last_step != module.step or self._seen == module.step:
            return
        self._seen = module.step
        for callback in callbacks:
            if isinstance(callback, EarlyStopping | ModelCheckpoint):
                _check_monitor(callback, trainer, module)
                callback.on_validation_end(trainer, module)


def _check_monitor(callback: EarlyStopping | ModelCheckpoint, trainer: Trainer, module: SteppedModule) -> None:
    known = trainer.callback_metrics
    # Figures of training batches are logged later than the first evaluation.
    if callback.monitor is None or callback.monitor in known or (module.step == 0 and "train/" in callback.monitor):
        return
    raise ValueError(
        f"{type(callback).__name__} monitors {callback.monitor!r}, which this training does not log; it logs "
        f"{', '.join(sorted(known))}"
    )

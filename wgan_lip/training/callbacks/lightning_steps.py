"""Lightning's ``max_steps``, ``EarlyStopping`` and ``ModelCheckpoint`` by the module's own steps."""

from collections.abc import Iterable
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.callbacks import EarlyStopping, ModelCheckpoint

from wgan_lip.training.callbacks.every_steps import EvaluateEverySteps
from wgan_lip.training.lightning_private import act_after_validation
from wgan_lip.training.stepped import SteppedModule


class LastStep(Callback):
    """Stops the trainer after a number of the module's own steps.

    Lightning's ``max_steps`` counts the steps of all optimisers together: five critic steps and a generator step are
    six.

    Args:
        step: the last one, a generator step of a GAN; at least 0.

    Raises:
        ValueError: it is negative.
    """

    def __init__(self, step: int) -> None:
        if step < 0:
            raise ValueError(f"max_steps must be at least 0, or -1 for no limit; got max_steps={step}")
        self.step = step

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._stop(trainer, pl_module)

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        self._stop(trainer, pl_module)

    def _stop(self, trainer: Trainer, module: LightningModule) -> None:
        if isinstance(module, SteppedModule) and module.step >= self.step:
            trainer.should_stop = True


class MonitorEvaluations(Callback):
    """Runs ``EarlyStopping`` and ``ModelCheckpoint`` after each evaluation, as Lightning does after a validation.

    By themselves they act at the end of Lightning's epochs, of which there may be hundreds between two evaluations, or
    none; with this callback ``patience`` is a number of evaluations. They may monitor whatever the module logs. This
    callback must come after all others that evaluate and draw, so that a checkpoint includes what they did.

    Args:
        callbacks: of the trainer; those with a choice of their own keep it.

    Raises:
        ValueError: during training: a monitored metric is not logged.
    """

    def __init__(self, callbacks: Iterable[Callback]) -> None:
        self._seen = -1
        for callback in callbacks:
            act_after_validation(callback)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._act(trainer, pl_module)

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        self._act(trainer, pl_module)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._act(trainer, pl_module)

    def _act(self, trainer: Trainer, module: LightningModule) -> None:
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
    logged = trainer.callback_metrics
    # Metrics of training batches are first logged after the first evaluation.
    if callback.monitor is None or callback.monitor in logged or (module.step == 0 and "train/" in callback.monitor):
        return
    raise ValueError(
        f"{type(callback).__name__} monitors {callback.monitor!r}, which this training does not log; it logs "
        f"{', '.join(sorted(logged))}"
    )

"""Callbacks every so many of the module's own steps; ``max_steps`` and Lightning's callbacks by these steps."""

import time
from abc import abstractmethod
from collections.abc import Iterable
from typing import Any, Protocol, cast

from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.callbacks import EarlyStopping, ModelCheckpoint

from wgan_lip.saved import is_count, named_value
from wgan_lip.training.lightning_private import act_after_validation
from wgan_lip.training.stepped import SteppedModule


class EverySteps(Callback):
    """Acts at step 0, every ``every`` steps and at the end of training; only once at each step, also after a resume.

    Args:
        every: number of steps between two actions.

    Attributes:
        last_step: step of the last action; -1 before the first.

    Raises:
        ValueError: ``every < 1``; when training starts: the module is not a ``SteppedModule``.
    """

    def __init__(self, every: int) -> None:
        if every < 1:
            raise ValueError(f"every must be at least 1; got every={every}")
        self.every = every
        self.last_step = -1

    @abstractmethod
    def act(self, trainer: Trainer, module: SteppedModule) -> None:
        """Act at the current step."""

    def look(self, module: SteppedModule) -> int:
        """Count the actions up to this step's, from 1 at step 0; also after a resume, if ``every`` is the same."""
        return 1 - (-module.step // self.every)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not isinstance(pl_module, SteppedModule):
            raise ValueError(f"{type(self).__name__} requires a SteppedModule; got {type(pl_module).__name__}")
        if pl_module.step == 0:
            self._act_once(trainer, pl_module)

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        if isinstance(pl_module, SteppedModule) and pl_module.step % self.every == 0:
            self._act_once(trainer, pl_module)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if isinstance(pl_module, SteppedModule):
            self._act_once(trainer, pl_module)

    def state_dict(self) -> dict[str, Any]:
        return {"last_step": self.last_step}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        last = state_dict.get("last_step") if isinstance(state_dict, dict) else None
        if not is_count(last, least=-1):
            raise ValueError(
                f"{type(self).__name__}'s last_step in the checkpoint must be a step; got {named_value(last)}"
            )
        self.last_step = cast(int, last)

    def _act_once(self, trainer: Trainer, module: SteppedModule) -> None:
        if module.step != self.last_step:
            self.last_step = module.step
            self.act(trainer, module)


class Result(Protocol):
    """Result of an evaluation, for logs and for people."""

    def metrics(self) -> dict[str, float]:
        """Return the known values by the names under which they are logged."""

    def describe(self) -> str:
        """Return one line that explains itself."""

    def brief(self) -> str:
        """Return at most 40 characters, for a progress bar."""


class EvaluateEverySteps(EverySteps):
    """Evaluates and logs every so many steps, and once in ``validate`` and ``test``.

    Args:
        every: number of steps between two evaluations.

    Attributes:
        last: result of the last evaluation; None before the first.
        seconds: wall time of all evaluations since this object was made.
    """

    def __init__(self, every: int) -> None:
        super().__init__(every)
        self.last: Result | None = None
        self.seconds = 0.0

    @abstractmethod
    def evaluate(self, trainer: Trainer, module: SteppedModule) -> Result:
        """Evaluate the module."""

    def act(self, trainer: Trainer, module: SteppedModule) -> None:
        start = time.perf_counter()
        self.last = self.evaluate(trainer, module)
        self.seconds += time.perf_counter() - start
        module.log_metrics(self.last.metrics())

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.state.fn == "validate" and isinstance(pl_module, SteppedModule):
            self.act(trainer, pl_module)

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if isinstance(pl_module, SteppedModule):
            self.act(trainer, pl_module)


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

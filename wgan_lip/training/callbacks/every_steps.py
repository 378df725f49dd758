"""Callbacks that act at the start of training, every so many of the module's own steps, and at its end."""

from abc import abstractmethod
from typing import Any, Protocol, cast

from pytorch_lightning import Callback, LightningModule, Trainer

from wgan_lip.saved import is_count, named_value
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
    """

    def __init__(self, every: int) -> None:
        super().__init__(every)
        self.last: Result | None = None

    @abstractmethod
    def evaluate(self, trainer: Trainer, module: SteppedModule) -> Result:
        """Evaluate the module."""

    def act(self, trainer: Trainer, module: SteppedModule) -> None:
        self.last = self.evaluate(trainer, module)
        module.log_metrics(self.last.metrics())

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.state.fn == "validate" and isinstance(pl_module, SteppedModule):
            self.act(trainer, pl_module)

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if isinstance(pl_module, SteppedModule):
            self.act(trainer, pl_module)

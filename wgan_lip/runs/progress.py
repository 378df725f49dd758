"""A progress bar in the module's own steps, with the latest W1 figures."""

import sys
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.callbacks import ProgressBar
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from wgan_lip.console import Console
from wgan_lip.training import EvaluateEverySteps, Result, SteppedModule


class StepProgress(ProgressBar):
    """A progress bar with steps, time left and the last evaluation; without a terminal, a line for each evaluation.

    Args:
        console: where it is shown; standard error if None.
    """

    def __init__(self, console: Console | None = None) -> None:
        super().__init__()
        self._console = console or Console(file=sys.stderr)
        self._progress: Progress | None = None
        self._enabled = True
        self._shown: Result | None = None

    def disable(self) -> None:
        self._enabled = False

    def enable(self) -> None:
        self._enabled = True

    def print(self, *args: Any, **kwargs: Any) -> None:
        self._console.print(*args)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        super().on_train_start(trainer, pl_module)
        if not self._enabled or not isinstance(pl_module, SteppedModule):
            return
        if self._console.is_terminal:
            self._progress = Progress(
                TextColumn("step"),
                BarColumn(bar_width=8),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                TextColumn("<"),
                TimeRemainingColumn(),
                TextColumn("{task.description}"),
                console=self._console,
                refresh_per_second=4,
            )
            self._progress.start()
            self._progress.add_task("", total=pl_module.total_steps, completed=pl_module.step)
        self._update(trainer, pl_module)

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *args: Any) -> None:
        super().on_train_batch_end(trainer, pl_module, *args)
        if self._enabled and isinstance(pl_module, SteppedModule):
            self._update(trainer, pl_module)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._enabled and isinstance(pl_module, SteppedModule):
            self._update(trainer, pl_module)
        self._stop()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        self._stop()

    def _stop(self) -> None:
        if self._progress is not None:
            self._progress.stop()
            self._progress = None

    def _update(self, trainer: Trainer, module: SteppedModule) -> None:
        callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]
        evaluation = next((c for c in callbacks if isinstance(c, EvaluateEverySteps)), None)
        last = evaluation.last if evaluation else None
        if self._progress is not None:
            self._progress.update(
                self._progress.task_ids[0], completed=module.step, description=last.brief() if last else ""
            )
        elif evaluation is not None and last is not None and last is not self._shown:
            # Callbacks after this one evaluate a batch before it is shown here: the step is that of the evaluation.
            name, step = module.step_name.replace("_", " "), evaluation.last_step
            self._console.print(
                f"{name} {step}/{module.total_steps}: {last.describe()}", highlight=False, soft_wrap=True
            )
        self._shown = last

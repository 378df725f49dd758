"""A progress bar in generator steps, with the latest W1 figures."""

import sys
from typing import Any

from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import ProgressBar
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from wgan_lip.training.evaluation import Evaluation
from wgan_lip.training.exact_w1 import ExactW1
from wgan_lip.training.wgan import WassersteinGAN


class StepProgress(ProgressBar):
    """Shows generator steps, time left and the last evaluation; a line each evaluation where there is no terminal.

    Args:
        console: where it is shown; standard error if None.
    """

    def __init__(self, console: Console | None = None) -> None:
        super().__init__()
        self._console = console or Console(file=sys.stderr)
        self._progress: Progress | None = None
        self._enabled = True
        self._shown: Evaluation | None = None

    def disable(self) -> None:
        self._enabled = False

    def enable(self) -> None:
        self._enabled = True

    def print(self, *args: Any, **kwargs: Any) -> None:
        self._console.print(*args)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        super().on_train_start(trainer, pl_module)
        if not self._enabled or not isinstance(pl_module, WassersteinGAN):
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
            self._progress.add_task("", total=pl_module.generator_steps, completed=pl_module.generator_step)
        self._update(trainer, pl_module)

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *args: Any) -> None:
        super().on_train_batch_end(trainer, pl_module, *args)
        if self._enabled and isinstance(pl_module, WassersteinGAN):
            self._update(trainer, pl_module)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._enabled and isinstance(pl_module, WassersteinGAN):
            self._update(trainer, pl_module)
        self._stop()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        self._stop()

    def _stop(self) -> None:
        if self._progress is not None:
            self._progress.stop()
            self._progress = None

    def _update(self, trainer: Trainer, module: WassersteinGAN) -> None:
        last = next((c.last for c in trainer.callbacks if isinstance(c, ExactW1)), None)  # type: ignore[attr-defined]
        if self._progress is not None:
            # Short enough for a terminal of eighty columns.
            text = f"W1 {last.exact:.3f} floor {last.noise_floor:.3f} critic {last.critic:.3f}" if last else ""
            self._progress.update(self._progress.task_ids[0], completed=module.generator_step, description=text)
        elif last is not None and last is not self._shown:
            self._console.print(
                f"generator step {module.generator_step}/{module.generator_steps}: {describe(last)}",
                highlight=False,
                soft_wrap=True,
            )
        self._shown = last


def describe(evaluation: Evaluation) -> str:
    """One line: the exact W1 with its noise floor, the critic's bound and their relative gap."""
    return (
        f"W1 exact {evaluation.exact:.3f} (noise floor {evaluation.noise_floor:.3f}), "
        f"critic ≥ {evaluation.critic:.3f}, gap {evaluation.gap_relative:.0%}"
    )

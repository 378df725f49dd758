"""The base of all modules: steps that the module counts itself, on any number of ranks; a plain training of them."""

import math
import time
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
import wandb
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from pytorch_lightning import LightningDataModule, LightningModule, Trainer
from pytorch_lightning.core.optimizer import LightningOptimizer
from pytorch_lightning.loggers import WandbLogger
from torch import Tensor
from torch.optim import Optimizer

from wgan_lip import __version__
from wgan_lip.parts import Part
from wgan_lip.saved import is_count, named_value
from wgan_lip.training.averaging import unrounded
from wgan_lip.training.checks import check_eps, check_precision, check_weights
from wgan_lip.training.ranks import Ranks

# The key of this package's own values in a checkpoint, beside Lightning's.
CHECKPOINT_KEY = "wgan_lip"


class Stopwatch:
    """Measures the mean time of steps.

    On a GPU a step returns before its work is done, so single times say little; the mean of many is right.
    """

    def __init__(self) -> None:
        self._began: float | None = None
        self._seconds = 0.0
        self._steps = 0

    def begin(self) -> None:
        """Start timing a step."""
        self._began = time.perf_counter()

    def end(self) -> None:
        """End timing a step; nothing happens if none began."""
        if self._began is not None:
            self._seconds += time.perf_counter() - self._began
            self._steps += 1
            self._began = None

    def mean(self) -> float | None:
        """Return the mean seconds of a step since the last call; None if no step was timed since."""
        if not self._steps:
            return None
        mean = self._seconds / self._steps
        self._seconds, self._steps = 0.0, 0
        return mean


class SteppedModule(LightningModule):
    """A module that counts its own steps, whatever Lightning's ``global_step`` counts, on any number of ranks.

    A subclass names its counters, which are integer attributes of its instances, and defines ``total_steps``. This
    class logs the counters with every record, keeps them in checkpoints, and refuses a checkpoint of another network.

    A subclass draws random numbers for the whole batch and takes ``part_of_batch`` of them, so that a step depends on
    the seed and the step only, and not on the number of ranks; it updates weights by ``take_step``. Its network
    ``averaged``, if it has one, is an average of weights, which no cast rounds to half precision.

    Attributes:
        counters: names of the counters; metrics are drawn over the first one, the *step*.
    """

    counters: ClassVar[tuple[str, ...]]
    _checkpoint_optimizers: list[str] | None = None
    _ranks: Ranks | None = None
    _stopwatch: Stopwatch | None = None

    @property
    def step_name(self) -> str:
        """Name of the counter over which metrics are drawn."""
        return self.counters[0]

    @property
    def step(self) -> int:
        """Number of steps taken."""
        return int(getattr(self, self.step_name))

    @property
    @abstractmethod
    def total_steps(self) -> int:
        """Number of steps after which the training ends."""

    @property
    def ranks(self) -> Ranks:
        """The processes that train this module.

        Raises:
            RuntimeError: no trainer has set the module up.
        """
        if self._ranks is None:
            raise RuntimeError(f"{type(self).__name__} has ranks only within a Trainer, which calls its setup first")
        return self._ranks

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        with unrounded(getattr(self, "averaged", None)):
            return super()._apply(fn, recurse)

    def setup(self, stage: str) -> None:
        check_precision(self.trainer.precision_plugin, self)
        self._ranks = Ranks(self.trainer)
        if self._ranks.rank:
            # Dropout differs among ranks; random numbers with a key depend on the seed only.
            torch.manual_seed(torch.initial_seed() + self._ranks.rank)

    def teardown(self, stage: str) -> None:
        if self._ranks is not None:
            self._ranks.close()
            self._ranks = None

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        """Do nothing: callbacks evaluate when the loop ends."""

    def test_step(self, batch: Any, batch_idx: int) -> None:
        """Do nothing: callbacks evaluate when the loop ends."""

    def part_of_batch(self, n: int) -> Part:
        """Return this rank's part of the step's batch.

        Args:
            n: samples in this rank's own batch.
        """
        # A loader of this package splits one batch; any other gives each rank a batch of its own, of the same size.
        total = getattr(self.trainer.train_dataloader, "total_batch_size", n * self.ranks.size)
        return self.ranks.part(total)

    def take_step(self, optimizer: LightningOptimizer, gradient_clip: float | None = None) -> None:
        """Sum the gradients over the ranks, and take an optimiser's step.

        Args:
            optimizer: Lightning's; each rank has backpropagated its share of the loss.
            gradient_clip: largest norm of the gradient; longer ones are shortened.
        """
        self.ranks.sum_gradients_(p for group in optimizer.param_groups for p in group["params"])
        if gradient_clip is not None:
            inner = optimizer.optimizer
            # In 16-mixed gradients are scaled; the norm to clip is that of the unscaled ones.
            scaler = getattr(self.trainer.precision_plugin, "scaler", None)
            if scaler is not None:
                scaler.unscale_(inner)
            self.clip_gradients(inner, gradient_clip_val=gradient_clip, gradient_clip_algorithm="norm")
        optimizer.step()

    def log_metrics(self, metrics: dict[str, float]) -> None:
        """Send metrics to every logger, in one record with the step counters, and to callbacks that monitor them.

        Args:
            metrics: by name.
        """
        counters = {name: getattr(self, name) for name in self.counters}
        for logger in self.loggers:
            logger.log_metrics({**counters, **metrics}, step=self.trainer.global_step)
        self.trainer.callback_metrics.update(
            {name: torch.tensor(value, dtype=torch.float64) for name, value in metrics.items()}
        )

    def log_picture(self, key: str, path: Path) -> None:
        """Send a picture to Weights & Biases, if that is among the loggers.

        Args:
            key: name of the picture there.
            path: a PNG file.
        """
        for logger in self.loggers:
            if isinstance(logger, WandbLogger):
                picture: dict[str, Any] = {key: wandb.Image(str(path)), self.step_name: self.step}
                logger.log_metrics(picture)

    def log_training(self, name: str, share: Tensor) -> None:
        """Log a batch's mean, and ``train/seconds``, the mean time of the steps since the last call.

        Args:
            name: of the metric.
            share: this rank's contribution to the mean, which is the sum over the ranks.

        Raises:
            ValueError: the mean is not finite.
        """
        value = float(self.ranks.sum(share))
        if not math.isfinite(value):
            raise ValueError(
                f"the training diverged: {name} is {value} at {self.step_name.replace('_', ' ')} {self.step}: "
                "lower the optimiser's learning rate"
            )
        seconds = None if self._stopwatch is None else self._stopwatch.mean()
        self.log_metrics({name: value} if seconds is None else {name: value, "train/seconds": seconds})

    def on_train_start(self) -> None:
        self._stopwatch = Stopwatch()
        self.stop_when_done()

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        if self._stopwatch is not None:
            self._stopwatch.begin()

    def stop_when_done(self) -> None:
        """Stop the trainer after the last step; to be called at the end of each training step."""
        if self._stopwatch is not None:
            self._stopwatch.end()
        if self.step >= self.total_steps:
            self.trainer.should_stop = True

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint.setdefault(CHECKPOINT_KEY, {}).update(
            version=__version__,
            step_name=self.step_name,
            **{name: getattr(self, name) for name in self.counters},
            optimizers=[type(optimizer).__name__ for optimizer in self.trainer.optimizers],
        )

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        kept = checkpoint.get(CHECKPOINT_KEY)
        if not isinstance(kept, dict):
            raise ValueError("the checkpoint was not saved by wgan-lip")
        check_weights(self, checkpoint.get("state_dict"))
        state = checkpoint["state_dict"]
        for name, value in (*self.named_parameters(), *self.named_buffers()):
            # Lightning loads weights before it casts them to the trainer's precision: float64 would lose digits.
            if name in state:
                value.data = value.data.to(state[name].dtype)
        self._checkpoint_optimizers = kept.get("optimizers") or None
        self.set_counters(kept)

    def set_counters(self, kept: Mapping[str, Any]) -> None:
        """Set the counters to those of a checkpoint.

        Args:
            kept: this package's values in the checkpoint.

        Raises:
            ValueError: a counter is missing, or is no count.
        """
        for name in self.counters:
            if not is_count(kept.get(name)):
                raise ValueError(f"the checkpoint's {name} must be a count of steps; got {named_value(kept.get(name))}")
        for name in self.counters:
            setattr(self, name, kept[name])

    def check_optimizers(self, optimizers: Sequence[Optimizer], roles: str) -> None:
        """Check optimisers, for ``configure_optimizers``: those of the checkpoint are of the same classes.

        Args:
            optimizers: of the config.
            roles: of the optimisers, in their order, for the error.

        Raises:
            ValueError: they differ, or the ``eps`` of one is 0 in the dtype of its parameters.
        """
        for optimizer in optimizers:
            check_eps(optimizer)
        kinds = [type(optimizer).__name__ for optimizer in optimizers]
        theirs = self._checkpoint_optimizers
        if theirs is not None and theirs != kinds:
            raise ValueError(
                f"the checkpoint's optimisers ({roles}) are {', '.join(theirs)}; the config's are {', '.join(kinds)}"
            )


def plain_fit(module: SteppedModule, data: LightningDataModule | None = None) -> None:
    """Train a module on the CPU in this process, without files or output.

    Within a job of Slurm or torchrun, each process trains a module of its own.

    Args:
        module: trained in place.
        data: its training data; None for modules that draw their own samples.
    """
    trainer = Trainer(
        accelerator="cpu",
        devices=1,
        # Otherwise Lightning would take the processes of a Slurm job for ranks of one run, and handle its signals.
        plugins=[LightningEnvironment()],
        max_epochs=-1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(module, datamodule=data)

"""What loggers, checkpoints, progress and the command line need of a module: steps that it counts itself."""

import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch
import wandb
from pytorch_lightning import LightningModule
from pytorch_lightning.core.optimizer import LightningOptimizer
from pytorch_lightning.loggers import WandbLogger
from pytorch_lightning.plugins.precision import (
    BitsandbytesPrecision,
    HalfPrecision,
    Precision,
    TransformerEnginePrecision,
)
from torch import Tensor
from torch.optim import Optimizer

from wgan_lip import __version__
from wgan_lip.lipschitz import Cayley
from wgan_lip.parts import Part
from wgan_lip.saved import is_count, named_value
from wgan_lip.training.ranks import Ranks
from wgan_lip.training.stopwatch import Stopwatch

# What this package keeps in a checkpoint, beside Lightning's own state.
CHECKPOINT_KEY = "wgan_lip"

_FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


class SteppedModule(LightningModule):
    """A module that counts its steps itself, whatever Lightning's ``global_step`` counts, on any number of ranks.

    A subclass names its counters, integer attributes of its instances, and says when it is done. This class
    logs them beside every record, keeps them in checkpoints, and refuses a checkpoint of another network.

    A subclass draws what is random for the whole batch and takes ``part_of_batch`` of it, so that a step depends on the
    seed and the step only, and not on how many ranks share it; it takes its steps with ``step_together``.

    Attributes:
        counters: names of the counters; the first one is *the* step, over which everything is drawn.
    """

    counters: ClassVar[tuple[str, ...]]
    _checkpoint_optimizers: list[str] | None = None
    _ranks: Ranks | None = None
    _stopwatch: Stopwatch | None = None

    @property
    def step_name(self) -> str:
        """The name of the counter over which everything is drawn."""
        return self.counters[0]

    @property
    def step(self) -> int:
        """How many steps were taken."""
        return int(getattr(self, self.step_name))

    @property
    @abstractmethod
    def total_steps(self) -> int:
        """The training ends after so many."""

    @property
    def ranks(self) -> Ranks:
        """The processes that train this module; of a trainer that has set it up.

        Raises:
            RuntimeError: none has.
        """
        if self._ranks is None:
            raise RuntimeError(f"{type(self).__name__} has ranks only within a Trainer, which calls its setup first")
        return self._ranks

    def setup(self, stage: str) -> None:
        self._check_precision(self.trainer.precision_plugin)
        self._ranks = Ranks(self.trainer)
        if self._ranks.rank:
            # Dropout and the like are not to be the same on all ranks; what is keyed by the seed does not mind.
            torch.manual_seed(torch.initial_seed() + self._ranks.rank)

    def _check_precision(self, plugin: Precision) -> None:
        """See that layers stay what they are, and that they can be computed with in the trainer's precision."""
        if isinstance(plugin, (TransformerEnginePrecision, BitsandbytesPrecision)):
            raise ValueError(
                f"trainer.precision {plugin.precision} replaces layers by its own, of which nothing is proven: "
                "choose 32-true, 64-true, 16-mixed, bf16-mixed or bf16-true"
            )
        if isinstance(plugin, HalfPrecision) and any(
            isinstance(getattr(module, "constraint", None), Cayley) for module in self.modules()
        ):
            raise ValueError(
                f"trainer.precision {plugin.precision} is none for layers with Cayley, for which PyTorch solves "
                "equations in float32 or float64: choose 32-true, 64-true, 16-mixed or bf16-mixed"
            )

    def teardown(self, stage: str) -> None:
        if self._ranks is not None:
            self._ranks.close()
            self._ranks = None

    def part_of_batch(self, n: int) -> Part:
        """Which part of the step's batch this rank has.

        Args:
            n: samples in its own batch.
        """
        # A loader of this package shares out one batch; any other gives each rank one of its own, of the same size.
        total = getattr(self.trainer.train_dataloader, "total_batch_size", n * self.ranks.size)
        return self.ranks.share(total)

    def step_together(self, optimizer: LightningOptimizer, gradient_clip: float | None = None) -> None:
        """Take an optimiser's step along the gradients of the whole batch.

        Args:
            optimizer: Lightning's; each rank has backpropagated its share of the loss.
            gradient_clip: largest norm of the gradient; longer ones are shortened.
        """
        self.ranks.sum_gradients_(p for group in optimizer.param_groups for p in group["params"])
        if gradient_clip is not None:
            inner = optimizer.optimizer
            # Under float16 gradients are scaled; a norm is that of the true ones.
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
        """Send a picture to Weights & Biases, where that is among the loggers.

        Args:
            key: its name there.
            path: a PNG file.
        """
        for logger in self.loggers:
            if isinstance(logger, WandbLogger):
                picture: dict[str, Any] = {key: wandb.Image(str(path)), self.step_name: self.step}
                logger.log_metrics(picture)

    def log_training(self, metrics: dict[str, float]) -> None:
        """Log figures of training batches, with ``train/seconds``: the mean time of the steps since the last ones.

        Args:
            metrics: by name.
        """
        seconds = None if self._stopwatch is None else self._stopwatch.mean()
        self.log_metrics(metrics if seconds is None else {**metrics, "train/seconds": seconds})

    def log_estimate(self, share: Tensor, steps_taken: int) -> None:
        """Log a batch's estimate of W1 as ``train/w1_critic``.

        Args:
            share: what this rank's part contributes to it, as the critic has it.
            steps_taken: by the critic, for the error.

        Raises:
            ValueError: it is not finite.
        """
        estimate = float(self.ranks.total(share))
        if not math.isfinite(estimate):
            raise ValueError(
                f"the training diverged: the critic's estimate at step {steps_taken} is {estimate}: "
                "lower the optimiser's learning rate"
            )
        self.log_training({"train/w1_critic": estimate})

    def on_train_start(self) -> None:
        self._stopwatch = Stopwatch()
        self.stop_when_done()

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        if self._stopwatch is not None:
            self._stopwatch.begin()

    def stop_when_done(self) -> None:
        """Have the trainer stop once all steps were taken; for the end of each training step."""
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
            raise ValueError("the checkpoint is not one of wgan-lip")
        self.check_networks(checkpoint.get("state_dict"))
        state = checkpoint["state_dict"]
        for name, value in (*self.named_parameters(), *self.named_buffers()):
            # Lightning loads weights before it casts them to the trainer's precision: in float64 digits would be lost.
            if name in state:
                value.data = value.data.to(state[name].dtype)
        self._checkpoint_optimizers = kept.get("optimizers") or None
        self.set_counters(kept)

    def set_counters(self, kept: Mapping[str, Any]) -> None:
        """Take the counters of a checkpoint.

        Args:
            kept: what the package keeps in it.

        Raises:
            ValueError: one is missing, or is no count.
        """
        for name in self.counters:
            if not is_count(kept.get(name)):
                raise ValueError(f"the checkpoint's {name} must be a count of steps; got {named_value(kept.get(name))}")
        for name in self.counters:
            setattr(self, name, kept[name])

    def check_networks(self, state: Any) -> None:
        """See that weights are those of networks like these.

        Args:
            state: a checkpoint's ``state_dict``.

        Raises:
            ValueError: a weight is missing, left over, of another shape or kind of number, or not finite.
        """
        if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
            raise ValueError(f"the checkpoint's state_dict must hold tensors; got {named_value(state)}")
        ours = self.state_dict()
        for name in sorted(ours.keys() | state.keys(), key=str):
            mine, theirs = (tuple(one[name].shape) if name in one else "none" for one in (ours, state))
            if mine != theirs:
                raise ValueError(
                    f"the checkpoint is of another network: its {name} has shape {theirs}, the config's has {mine}"
                )
        for name, value in state.items():
            if value.dtype not in _like(ours[name].dtype):
                raise ValueError(f"the checkpoint is of another network: its {name} is of {value.dtype}")
            if not bool(value.isfinite().all()):
                raise ValueError(f"the checkpoint's {name} holds NaN or infinity")

    def check_optimizers(self, optimizers: Sequence[Optimizer], roles: str) -> None:
        """Refuse a checkpoint of other optimisers than the config's, and half precision that they cannot train in.

        For ``configure_optimizers``.

        Args:
            optimizers: of the config.
            roles: what they are for, in their order.

        Raises:
            ValueError: they differ, or the ``eps`` of one is 0 in the dtype of its parameters.
        """
        for optimizer in optimizers:
            _check_eps(optimizer)
        kinds = [type(optimizer).__name__ for optimizer in optimizers]
        theirs = self._checkpoint_optimizers
        if theirs is not None and theirs != kinds:
            raise ValueError(
                f"the checkpoint's optimisers ({roles}) are {', '.join(theirs)}; the config's are {', '.join(kinds)}"
            )


def _check_eps(optimizer: Optimizer) -> None:
    """See that what keeps an optimiser's quotients finite is not 0 in the dtype of the parameters: 1e-8 in float16."""
    for group in optimizer.param_groups:
        for p in group["params"]:
            eps = group.get("eps")
            if isinstance(eps, float) and eps > 0 and float(torch.tensor(eps, dtype=p.dtype)) == 0:
                raise ValueError(
                    f"{type(optimizer).__name__} divides by a number to which it adds eps={eps:g}, which is 0 in "
                    f"{p.dtype}: train with trainer.precision 16-mixed, bf16-mixed, bf16-true or 32-true, or give it "
                    f"an eps of at least {torch.finfo(p.dtype).smallest_normal:.1g}"
                )


def _like(dtype: torch.dtype) -> tuple[torch.dtype, ...]:
    """The types of numbers that a weight may have in a checkpoint: floating point has the trainer's precision."""
    return _FLOATS if dtype in _FLOATS else (dtype,)

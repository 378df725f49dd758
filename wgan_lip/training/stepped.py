"""What loggers, checkpoints, progress and the command line need of a module: steps that it counts itself."""

import math
from abc import abstractmethod
from typing import Any, ClassVar

from pytorch_lightning import LightningModule

from wgan_lip import __version__

# What this package keeps in a checkpoint, beside Lightning's own state.
CHECKPOINT_KEY = "wgan_lip"


class SteppedModule(LightningModule):
    """A module that counts its steps itself, whatever Lightning's ``global_step`` counts.

    A subclass names its counters, integer attributes of its instances, and says when it is done. This class
    logs them beside every record, keeps them in checkpoints, and refuses a checkpoint of another network.

    Attributes:
        counters: names of the counters; the first one is *the* step, over which everything is drawn.
    """

    counters: ClassVar[tuple[str, ...]]
    _checkpoint_optimizers: list[str] | None = None

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

    def setup(self, stage: str) -> None:
        if self.trainer.world_size > 1:
            raise ValueError(
                f"{type(self).__name__} trains on one device for now; got {self.trainer.world_size} processes: "
                "set trainer.devices and trainer.num_nodes to 1"
            )

    def log_metrics(self, metrics: dict[str, float]) -> None:
        """Send metrics to every logger, in one record with the step counters.

        Args:
            metrics: by name.
        """
        counters = {name: getattr(self, name) for name in self.counters}
        for logger in self.loggers:
            logger.log_metrics({**counters, **metrics}, step=self.trainer.global_step)

    def log_estimate(self, estimate: float, steps_taken: int) -> None:
        """Log a batch's estimate of W1 as ``train/w1_critic``.

        Args:
            estimate: as the critic has it.
            steps_taken: by the critic, for the error.

        Raises:
            ValueError: it is not finite.
        """
        if not math.isfinite(estimate):
            raise ValueError(
                f"the training diverged: the critic's estimate at step {steps_taken} is {estimate}: "
                "lower the optimiser's learning rate"
            )
        self.log_metrics({"train/w1_critic": estimate})

    def on_train_start(self) -> None:
        self.stop_when_done()

    def stop_when_done(self) -> None:
        """Have the trainer stop once all steps were taken; for the end of each training step."""
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
        self.check_networks(checkpoint["state_dict"])
        kept = checkpoint[CHECKPOINT_KEY]
        self._checkpoint_optimizers = kept["optimizers"] or None
        for name in self.counters:
            setattr(self, name, kept[name])

    def check_networks(self, state: dict[str, Any]) -> None:
        """See that weights are those of networks like these.

        Args:
            state: a checkpoint's ``state_dict``.

        Raises:
            ValueError: a weight is missing, left over, or of another shape.
        """
        ours = {name: tuple(value.shape) for name, value in self.state_dict().items()}
        theirs = {name: tuple(value.shape) for name, value in state.items()}
        for name in sorted(ours.keys() | theirs.keys()):
            if ours.get(name) != theirs.get(name):
                raise ValueError(
                    f"the checkpoint is of another network: its {name} has shape {theirs.get(name, 'none')}, "
                    f"the config's has {ours.get(name, 'none')}"
                )

    def check_optimizers(self, kinds: list[str], roles: str) -> None:
        """Refuse a checkpoint of other optimisers than the config's; for ``configure_optimizers``.

        Args:
            kinds: the classes' names.
            roles: what they are for, in their order.

        Raises:
            ValueError: they differ.
        """
        theirs = self._checkpoint_optimizers
        if theirs is not None and theirs != kinds:
            raise ValueError(
                f"the checkpoint's optimisers ({roles}) are {', '.join(theirs)}; the config's are {', '.join(kinds)}"
            )

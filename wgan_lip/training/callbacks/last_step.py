"""Training that ends before its last step, to go on later."""

from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer

from wgan_lip.training.stepped import SteppedModule


class LastStep(Callback):
    """Has the trainer stop after so many of the module's own steps, as ``max_steps`` is understood.

    Lightning's ``max_steps`` counts the steps of all optimisers together: five critic steps and a generator step are
    six.

    Args:
        step: after which to stop, generator steps of a GAN; at least 0.

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

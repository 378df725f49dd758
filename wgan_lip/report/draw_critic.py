"""Pictures of the critic of a ``W1Estimator`` during training."""

from pathlib import Path

import torch
from pytorch_lightning import Trainer
from pytorch_lightning.utilities import rank_zero_only

from wgan_lip.randomness import keyed_generator
from wgan_lip.replaced import own_folder
from wgan_lip.report.critic_figure import critic_figure
from wgan_lip.report.figures import save_figure
from wgan_lip.training import EverySteps, SteppedModule, W1Estimator

# Samples from which the drawn region is taken.
_SAMPLES = 1024


class DrawCritic(EverySteps):
    """Saves ``critic/<critic_step>.png`` in the trainer's ``default_root_dir``, and sends it to Weights & Biases.

    Pairs of one or two dimensions only; of others there is no picture. See :func:`critic_figure`.

    Args:
        every: critic steps between two pictures; there is one at the start and at the end.
        seed: what the samples that are shown are drawn from.

    Raises:
        ValueError: ``every < 1``; when training starts: a module that is no ``W1Estimator``.
    """

    def __init__(self, every: int = 500, seed: int = 0) -> None:
        super().__init__(every)
        self.seed = seed

    @rank_zero_only
    def act(self, trainer: Trainer, module: SteppedModule) -> None:
        if not isinstance(module, W1Estimator):
            raise ValueError(f"DrawCritic draws the critic of a W1Estimator; got {type(module).__name__}")
        pair = module.pair
        if pair.dim > 2:
            return
        x, y = pair.sample(_SAMPLES, keyed_generator(self.seed, "drawing"), heldout=True)
        with torch.inference_mode(False):
            figure = critic_figure(module.final_critic(), pair, x, y, f"{pair}, critic step {module.step}")
        path = own_folder(Path(trainer.default_root_dir) / "critic") / f"{module.step:07d}.png"
        save_figure(figure, path)
        module.log_picture("critic/picture", path)

"""The estimate of a ``W1Estimator`` on held-out samples during training."""

import torch
from pytorch_lightning import LightningModule, Trainer

from wgan_lip.evaluation import Estimate, HeldOut, draw_heldout, score_heldout
from wgan_lip.training.callbacks.every_steps import EvaluateEverySteps
from wgan_lip.training.stepped import SteppedModule
from wgan_lip.training.w1_estimator import W1Estimator


class HeldOutW1(EvaluateEverySteps):
    """Logs the critic's estimate on held-out samples, the truth, and the exact W1 of samples during training.

    At the start, every ``every`` critic steps, and at the end, it scores the critic (``W1Estimator.final_critic``) on
    the same held-out samples and logs the values of an :class:`Estimate`. In ``validate`` and ``test`` it does so once.

    The population bracket holds with probability ``confidence`` for each single evaluation. The lower bounds
    ``w1/population_lower_all`` of all evaluations hold together with probability ``(1 + confidence) / 2``.

    Args:
        every: number of critic steps between two evaluations.
        n: held-out samples of each distribution.
        exact_n: number of them whose exact W1 is computed; 0 computes none.
        seed: of the held-out samples.
        confidence: of the population bracket.

    Raises:
        ValueError: a count that is too small, an ``exact_n`` above half of n, a confidence outside (0, 1), or a module
            that is not a ``W1Estimator``.
    """

    def __init__(
        self, every: int = 500, n: int = 16_384, exact_n: int = 1024, seed: int = 0, confidence: float = 0.95
    ) -> None:
        super().__init__(every)
        if not 0 < confidence < 1:
            raise ValueError(f"confidence must lie between 0 and 1; got confidence={confidence}")
        self.n = n
        self.exact_n = exact_n
        self.seed = seed
        self.confidence = confidence
        self._heldout: HeldOut | None = None

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        pair = _module(pl_module).pair
        if trainer.is_global_zero:
            # Drawn here, so that an error in the pair or the sizes is raised before anything is written.
            self._heldout = draw_heldout(pair, self.n, self.exact_n, self.seed)

    def evaluate(self, trainer: Trainer, module: SteppedModule) -> Estimate:
        return module.ranks.on_rank_zero(lambda: self._score(_module(module)))

    def _score(self, estimator: W1Estimator) -> Estimate:
        if self._heldout is None:
            raise ValueError("HeldOutW1 evaluates within a Trainer, which calls its setup first")
        # Trainer.validate disables gradients, which an estimate includes.
        with torch.inference_mode(False):
            return score_heldout(estimator.final_critic(), self._heldout, self.confidence, self.look(estimator))


def _module(pl_module: LightningModule) -> W1Estimator:
    if not isinstance(pl_module, W1Estimator):
        raise ValueError(f"HeldOutW1 requires a W1Estimator; got {type(pl_module).__name__}")
    return pl_module

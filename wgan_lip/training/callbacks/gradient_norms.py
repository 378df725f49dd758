"""How much of the gradient's norm a critic keeps, layer by layer, while it trains."""

import torch
from pytorch_lightning import LightningModule, Trainer
from torch import Tensor

from wgan_lip.data import SampleDataModule
from wgan_lip.lipschitz import GradientProfile, gradient_profile
from wgan_lip.training.callbacks.every_steps import EverySteps
from wgan_lip.training.callbacks.gradient_points import gan_points, pair_points
from wgan_lip.training.stepped import SteppedModule
from wgan_lip.training.w1_estimator import W1Estimator
from wgan_lip.training.wgan import WassersteinGAN


class GradientNorms(EverySteps):
    """Logs the mean norm of the critic's gradient after every layer, as ``gradient_norm/POINTS/PLACE``.

    Beside each stands its standard error, as ``gradient_norm/POINTS/PLACE_standard_error``.

    PLACE is ``input``, or a layer by name and class, such as ``3_GroupSort``: the gradient is that with respect to what
    the layer gives (:func:`wgan_lip.lipschitz.gradient_profile`). The output is left out, and layers that only reshape.
    POINTS are ``real`` (held-out), ``generated`` and ``between`` of a GAN; ``x``, ``y`` and ``between`` of an
    estimator, whose ``gradient_norm/x/input`` is the ``gradient/norm`` of ``HeldOutW1`` on as many samples. "between"
    are points on the segments from one to the other, those of an optimal plan where it is known.

    The points are the same throughout the training, but for what the generator makes of the same noise.

    Args:
        every: steps between two.
        n: points of each kind; 0 leaves all this out.
        seed: what they are drawn from.

    Raises:
        ValueError: ``every < 1``, an n that is negative or 1; when training starts: another module, data that are no
            ``SampleDataModule`` or hold out fewer than n samples.
    """

    def __init__(self, every: int = 500, n: int = 0, seed: int = 0) -> None:
        super().__init__(every)
        if n < 0 or n == 1:
            raise ValueError(f"n must be 0 or at least 2; got n={n}")
        self.n = n
        self.seed = seed

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self.n:
            self._check(trainer, pl_module)
        super().on_train_start(trainer, pl_module)

    def act(self, trainer: Trainer, module: SteppedModule) -> None:
        if self.n:
            module.log_metrics(module.ranks.on_rank_zero(lambda: self._metrics(trainer, module)))

    def _check(self, trainer: Trainer, module: LightningModule) -> None:
        if isinstance(module, W1Estimator):
            return
        data = trainer.datamodule  # type: ignore[attr-defined]
        if not isinstance(module, WassersteinGAN) or not isinstance(data, SampleDataModule):
            raise ValueError(
                "GradientNorms looks at the critic of a W1Estimator, or of a WassersteinGAN that trains on a "
                f"SampleDataModule; got {type(module).__name__} and {type(data).__name__}"
            )
        if data.size("heldout") < self.n:
            raise ValueError(
                f"GradientNorms needs n={self.n} samples of the heldout split; "
                f"{type(data).__name__} has {data.size('heldout')}: lower n"
            )

    def _metrics(self, trainer: Trainer, module: SteppedModule) -> dict[str, float]:
        points: dict[str, Tensor]
        with torch.inference_mode(False):
            if isinstance(module, W1Estimator):
                critic, points = module.final_critic(), pair_points(module.pair, self.n, self.seed)
            elif isinstance(module, WassersteinGAN):
                data: SampleDataModule = trainer.datamodule  # type: ignore[attr-defined]
                critic, points = module.critic, gan_points(module, data, self.n, self.seed)
            profiles = {kind: gradient_profile(critic, x) for kind, x in points.items()}
        return {name: value for kind, profile in profiles.items() for name, value in _named(kind, profile)}


def _named(kind: str, profile: GradientProfile) -> list[tuple[str, float]]:
    named = []
    for place in profile.shown[1:]:
        where = place.name if place.name == place.kind else f"{place.name}_{place.kind}"
        name = f"gradient_norm/{kind}/{where}"
        named += [(name, place.mean), (f"{name}_standard_error", place.standard_error)]
    return named

"""The gradient norm of a network after each of its layers, logged while it trains."""

import torch
from pytorch_lightning import LightningModule, Trainer

from wgan_lip.data import SampleDataModule
from wgan_lip.lipschitz import GradientProfile, gradient_profile
from wgan_lip.randomness import keyed_generator
from wgan_lip.training.callbacks.every_steps import EverySteps
from wgan_lip.training.callbacks.gradient_points import network_and_points
from wgan_lip.training.stepped import SteppedModule


class GradientNorms(EverySteps):
    """Logs the mean norm of the network's gradient after every layer, as ``gradient_norm/POINTS/PLACE``.

    Its standard error is logged as ``gradient_norm/POINTS/PLACE_standard_error``.

    PLACE is ``input``, or a layer by name and class, such as ``3_GroupSort``: the gradient is that with respect to the
    layer's output (:func:`wgan_lip.lipschitz.gradient_profile`). The network's output and layers that only reshape are
    left out. POINTS are ``real`` (held-out), ``generated`` and ``between`` of a GAN; ``x``, ``y`` and ``between`` of an
    estimator, whose ``gradient_norm/x/input`` is the ``gradient/norm`` of ``HeldOutW1`` on as many samples; and
    ``held_out`` of a classifier, where random combinations of its logits are differentiated. "between" are points on
    the segments from one distribution to the other, those of an optimal plan where it is known.

    The points are the same throughout the training, except that the generator changes.

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
            self._check(trainer)
        super().on_train_start(trainer, pl_module)

    def act(self, trainer: Trainer, module: SteppedModule) -> None:
        if self.n:
            module.log_metrics(module.ranks.on_rank_zero(lambda: self._metrics(trainer, module)))

    def _check(self, trainer: Trainer) -> None:
        data = trainer.datamodule  # type: ignore[attr-defined]
        if isinstance(data, SampleDataModule) and data.size("heldout") < self.n:
            raise ValueError(
                f"GradientNorms needs n={self.n} samples of the heldout split; "
                f"{type(data).__name__} has {data.size('heldout')}: lower n"
            )

    def _metrics(self, trainer: Trainer, module: SteppedModule) -> dict[str, float]:
        data = trainer.datamodule  # type: ignore[attr-defined]
        with torch.inference_mode(False):
            network, points = network_and_points(module, data, self.n, self.seed)
            # A classifier's gradient is that of random combinations of its logits, the same throughout.
            profiles = {
                kind: gradient_profile(network, x, generator=keyed_generator(self.seed, "gradient norms"))
                for kind, x in points.items()
            }
        return {name: value for kind, profile in profiles.items() for name, value in _named(kind, profile)}


def _named(kind: str, profile: GradientProfile) -> list[tuple[str, float]]:
    named = []
    for place in profile.shown[1:]:
        where = place.name if place.name == place.kind else f"{place.name}_{place.kind}"
        name = f"gradient_norm/{kind.replace(' ', '_')}/{where}"
        named += [(name, place.mean), (f"{name}_standard_error", place.standard_error)]
    return named

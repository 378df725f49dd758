"""The certified accuracy of a ``RobustClassifier`` on held-out images during training."""

from collections.abc import Sequence
from dataclasses import dataclass

from pytorch_lightning import LightningModule, Trainer
from torch import Tensor

from wgan_lip.data import ImageDataModule
from wgan_lip.randomness import keyed_generator
from wgan_lip.robustness import Robustness, measure_robustness, median_interval
from wgan_lip.training.callbacks.every_steps import EvaluateEverySteps
from wgan_lip.training.robust_classifier import RobustClassifier, images_and_labels
from wgan_lip.training.stepped import SteppedModule

_DEFAULT_EPS = {"linf": (0.05, 0.1), "l2": (0.5, 1.0)}


@dataclass(frozen=True)
class Accuracies:
    """Clean and certified accuracies on held-out images.

    Attributes:
        robustness: the measured accuracies and radii.
    """

    robustness: Robustness

    def metrics(self) -> dict[str, float]:
        r = self.robustness
        values = {
            "accuracy/clean": r.clean.value,
            "accuracy/clean_low": r.clean.low,
            "accuracy/clean_high": r.clean.high,
        }
        for row in r.at:
            if row.certified is not None:
                name = f"accuracy/certified_{row.eps:g}"
                values |= {
                    name: row.certified.value,
                    f"{name}_low": row.certified.low,
                    f"{name}_high": row.certified.high,
                }
        if r.certificate is not None:
            values["lipschitz/certified"] = r.certificate.lipschitz.bound
            if r.certificate.lipschitz.bound > 0:
                values["accuracy/median_radius"] = float(r.radii.median())
                ends = median_interval(r.radii, r.clean.confidence)
                if ends is not None:
                    values["accuracy/median_radius_low"], values["accuracy/median_radius_high"] = ends
        return values

    def describe(self) -> str:
        r = self.robustness
        parts = [f"clean {_percent(r.clean)}"]
        parts += [f"certified at {row.eps:g} {_percent(row.certified)}" for row in r.at if row.certified is not None]
        if r.certificate is None:
            parts.append(f"the network has no certificate: {r.unproven}")
        return f"accuracy on {r.clean.n} held-out images ({r.norm}): {', '.join(parts)}"

    def brief(self) -> str:
        proven = [f"{100 * row.certified.value:.1f}" for row in self.robustness.at if row.certified is not None]
        return f"acc {100 * self.robustness.clean.value:.1f} certified {'/'.join(proven) or 'none'}"


def _percent(accuracy: object) -> str:
    value, low, high = (100 * getattr(accuracy, name) for name in ("value", "low", "high"))
    return f"{value:.1f}% [{low:.1f}, {high:.1f}]"


class CertifiedAccuracy(EvaluateEverySteps):
    """Logs the clean and the certified accuracy on held-out images, each with its confidence interval.

    It does so at the start, every ``every`` steps, and at the end, on the same images each time; in ``validate`` and
    ``test`` once. Attacks take longer: ``wgan-lip certify`` runs them.

    Args:
        every: number of steps between two evaluations.
        n: number of held-out images; all, if there are fewer.
        eps: radii, pixels in [0, 1]; None is 0.05 and 0.1 in l_inf, 0.5 and 1 in l2.
        seed: of the choice of images.
        confidence: of the intervals (Clopper-Pearson).

    Raises:
        ValueError: a count below 1, a radius that is not positive, a confidence outside (0, 1), or a module that is not
            a ``RobustClassifier``.
    """

    def __init__(
        self,
        every: int = 1000,
        n: int = 10_000,
        eps: Sequence[float] | None = None,
        seed: int = 0,
        confidence: float = 0.95,
    ) -> None:
        super().__init__(every)
        if n < 1:
            raise ValueError(f"n must be at least 1; got n={n}")
        if not all(radius > 0 for radius in eps or ()):
            raise ValueError(f"eps must hold positive radii; got eps={list(eps or ())}")
        if not 0 < confidence < 1:
            raise ValueError(f"confidence must lie between 0 and 1; got confidence={confidence}")
        self.n = n
        self.eps = None if eps is None else tuple(eps)
        self.seed = seed
        self.confidence = confidence
        self._heldout: tuple[Tensor, Tensor] | None = None

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        _module(pl_module)
        if trainer.is_global_zero:
            data = trainer.datamodule  # type: ignore[attr-defined]
            if not isinstance(data, ImageDataModule):
                raise ValueError(f"CertifiedAccuracy requires an ImageDataModule; got {type(data).__name__}")
            self._heldout = draw_images(data, self.n, self.seed)

    def evaluate(self, trainer: Trainer, module: SteppedModule) -> Accuracies:
        return module.ranks.on_rank_zero(lambda: self._measure(_module(module)))

    def _measure(self, classifier: RobustClassifier) -> Accuracies:
        if self._heldout is None:
            raise ValueError("CertifiedAccuracy evaluates within a Trainer, which calls its setup first")
        eps = self.eps or default_eps(classifier.norm)
        found = measure_robustness(
            classifier.network,
            *self._heldout,
            classifier.norm,
            eps,
            classifier.classes,
            pgd=None,
            confidence=self.confidence,
        )
        return Accuracies(found)


def default_eps(norm: str) -> tuple[float, ...]:
    """Return the default radii of certified accuracies, pixels in [0, 1].

    Args:
        norm: "l2" or "linf".
    """
    return _DEFAULT_EPS[norm]


def draw_images(data: ImageDataModule, n: int, seed: int) -> tuple[Tensor, Tensor]:
    """Draw held-out images with pixels in [0, 1], and their labels.

    Args:
        data: with labels.
        n: number of images; all, if there are fewer.
        seed: of the draw.

    Raises:
        ValueError: data without labels.
    """
    if not data.classes:
        raise ValueError(f"{type(data).__name__} has no labels: set labels to true")
    n = min(n, data.size("heldout"))
    samples = data.draw("heldout", n, keyed_generator(seed, "held-out images"))
    return images_and_labels(samples, len(data.classes))


def _module(pl_module: LightningModule) -> RobustClassifier:
    if not isinstance(pl_module, RobustClassifier):
        raise ValueError(f"CertifiedAccuracy requires a RobustClassifier; got {type(pl_module).__name__}")
    return pl_module

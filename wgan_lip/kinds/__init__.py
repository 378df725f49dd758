"""The kinds of training, a file each: what the commands and the report know of a kind stands there and nowhere else."""

from collections.abc import Iterable

from pytorch_lightning import Callback, LightningModule

from wgan_lip.kinds.classifier import ROBUST_CLASSIFIER
from wgan_lip.kinds.estimator import W1_ESTIMATOR
from wgan_lip.kinds.gan import WASSERSTEIN_GAN
from wgan_lip.kinds.kind import Callbacks, Exportable, Kind
from wgan_lip.runs import NoteSignals, Preemption, SaveCheckpoint, StepProgress
from wgan_lip.training import EverySteps, GradientNorms, LastStep, MonitorEvaluations

__all__ = ["COMMON", "KINDS", "Callbacks", "Exportable", "Kind", "check_fits", "in_order", "kind_of", "kind_of_steps"]

KINDS = (
    WASSERSTEIN_GAN,
    W1_ESTIMATOR,
    ROBUST_CLASSIFIER,
)
# The callbacks that every kind has.
COMMON: Callbacks = {"gradient_norms": GradientNorms, "checkpoint": SaveCheckpoint}

# Signals are noted before anything else, and callbacks of other packages come next. A checkpoint counts the rows that
# were logged at its step, so everything that logs comes before it. Monitors act on evaluations. A preempted run is
# saved when all of these have acted.
_ORDER = (NoteSignals, object, EverySteps, SaveCheckpoint, LastStep, StepProgress, MonitorEvaluations, Preemption)


def in_order(callbacks: Iterable[Callback]) -> list[Callback]:
    """Sort callbacks into the order in which they must act; equal ones stay as they are.

    Args:
        callbacks: of a training.
    """

    def place(callback: Callback) -> int:
        named = (i for i, one in enumerate(_ORDER) if one is not object and isinstance(callback, one))
        return max(named, default=_ORDER.index(object))

    return sorted(callbacks, key=place)


def kind_of(model: LightningModule) -> Kind:
    """The kind that a model is of.

    Args:
        model: of a class in ``KINDS``, or of a subclass.

    Raises:
        ValueError: of none.
    """
    for kind in KINDS:
        if isinstance(model, kind.module):
            return kind
    known = " or a ".join(kind.module.__name__ for kind in KINDS)
    raise ValueError(f"model must be a {known}; got {type(model).__name__}")


def kind_of_steps(step_name: str) -> Kind:
    """The kind whose figures are drawn over a counter.

    Args:
        step_name: of the counter, as it stands in metrics.csv.

    Raises:
        ValueError: of none.
    """
    for kind in KINDS:
        if kind.step_name == step_name:
            return kind
    known = ", ".join(kind.step_name for kind in KINDS)
    raise ValueError(f"metrics.csv must count the steps of a training ({known}); got {step_name}")


def check_fits(model: LightningModule, has_data: bool, changed: Iterable[str]) -> None:
    """Check that a config's data and callbacks are those of its model.

    Args:
        model: of the config.
        has_data: whether there is a data module.
        changed: names of the callbacks whose settings are not the defaults.

    Raises:
        ValueError: data are missing, or settings are of a callback that another kind of model has.
    """
    own, name = kind_of(model), type(model).__name__
    if own.takes_data and not has_data:
        raise ValueError(f"data is missing: a {name} trains on some, such as data: wgan_lip.data.Digits")
    for key in changed:
        kind = next(kind for kind in KINDS if key in kind.callbacks)
        if kind is not own:
            raise ValueError(f"{key} is for a {kind.module.__name__}, but the model is a {name}: leave it out")

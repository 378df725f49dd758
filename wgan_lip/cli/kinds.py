"""What there is to train, and for each kind the callbacks and the report that belong to it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from pytorch_lightning import Callback, LightningModule
from rich.table import Table
from torch import nn

from wgan_lip.report import (
    DrawCritic,
    accuracy_figure,
    accuracy_table,
    estimate_figure,
    estimate_table,
    read_accuracies,
    read_estimates,
    read_history,
    w1_figure,
    w1_table,
)
from wgan_lip.runs import SaveCheckpoint
from wgan_lip.training import (
    CertifiedAccuracy,
    ExactW1,
    FeatureQuality,
    GradientNorms,
    HeldOutW1,
    RobustClassifier,
    SampleGrid,
    SteppedModule,
    W1Estimator,
    WassersteinGAN,
)

# By their names in the config.
Callbacks = Mapping[str, type[Callback]]


@dataclass(frozen=True)
class Kind:
    """One kind of training.

    Attributes:
        module: the Lightning module's class.
        network: what is certified of a module: its critic, or its classifier.
        takes_data: whether it trains on a data module; otherwise it draws its own samples.
        callbacks: those that only this kind has.
        evaluation: a metric that every evaluation has, and nothing else.
        figure: the name of the report's figure.
        report: that figure and a table of a run, from its metrics.csv and its name.
        pictures: patterns of further files in the run folder; of each, the last is shown at the end.
    """

    module: type[SteppedModule]
    network: Callable[[Any], nn.Module]
    takes_data: bool
    callbacks: Callbacks
    evaluation: str
    figure: str
    report: Callable[[Path, str], tuple[Figure, Table]]
    pictures: tuple[str, ...]


def _gan_report(metrics_csv: Path, name: str) -> tuple[Figure, Table]:
    rows = read_history(metrics_csv)
    return w1_figure(rows, name), w1_table(rows)


def _estimator_report(metrics_csv: Path, name: str) -> tuple[Figure, Table]:
    rows = read_estimates(metrics_csv)
    return estimate_figure(rows, name), estimate_table(rows, name)


def _classifier_report(metrics_csv: Path, name: str) -> tuple[Figure, Table]:
    rows = read_accuracies(metrics_csv)
    return accuracy_figure(rows, name), accuracy_table(rows, name)


# A checkpoint comes last: it says how many rows were logged.
COMMON: Callbacks = {"gradient_norms": GradientNorms, "checkpoint": SaveCheckpoint}
KINDS = (
    Kind(
        module=WassersteinGAN,
        network=lambda gan: gan.critic,
        takes_data=True,
        callbacks={"exact_w1": ExactW1, "sample_grid": SampleGrid, "feature_quality": FeatureQuality},
        evaluation="w1/seconds",
        figure="w1",
        report=_gan_report,
        pictures=("samples/[0-9]*.png", "samples/averaged-*.png"),
    ),
    Kind(
        module=W1Estimator,
        network=lambda estimator: estimator.final_critic(),
        takes_data=False,
        callbacks={"heldout_w1": HeldOutW1, "draw_critic": DrawCritic},
        evaluation="gradient/norm",
        figure="w1",
        report=_estimator_report,
        pictures=("critic/*.png",),
    ),
    Kind(
        module=RobustClassifier,
        network=lambda classifier: classifier.network,
        takes_data=True,
        callbacks={"certified_accuracy": CertifiedAccuracy},
        evaluation="accuracy/clean",
        figure="accuracy",
        report=_classifier_report,
        pictures=(),
    ),
)


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
        if kind.module.counters[0] == step_name:
            return kind
    raise ValueError(f"step_name must be a counter of a kind of training; got {step_name}")


def check_fits(model: LightningModule, has_data: bool, changed: Iterable[str]) -> None:
    """See that a config's data and callbacks are those of its model.

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

"""What a kind of training is: everything that the commands and the report ask it for."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from pytorch_lightning import Callback
from rich.table import Table
from torch import nn

from wgan_lip.metrics import Metrics
from wgan_lip.report import Row, RunContent, RunRecord, read_history
from wgan_lip.training import SteppedModule

# By their names in the config.
Callbacks = Mapping[str, type[Callback]]


@dataclass(frozen=True)
class Exportable:
    """A network of a checkpoint that ``wgan-lip export`` can write.

    Attributes:
        name: of the network; its last word chooses it by ``--part``.
        network: itself.
        shape: of one input, or None if the network does not say.
    """

    name: str
    network: nn.Module
    shape: tuple[int, ...] | None


@dataclass(frozen=True)
class Kind:
    """One kind of training.

    Attributes:
        name: in words.
        module: the Lightning module's class; its first counter is the step of all figures.
        network: what is certified of a module: its critic, or its classifier.
        takes_data: whether it trains on a data module; otherwise it draws its own samples.
        callbacks: those that only this kind has.
        metrics: that it logs.
        evaluation: a metric that every evaluation logs, and nothing else does.
        figure_name: of the main figure's file.
        figure: the main figure, from the evaluations and the run's name.
        table: of the evaluations, for the terminal, likewise.
        content: what the page shows of a run, from its evaluations.
        exportables: the networks of a module, the first by default; the flag asks for those that are not averaged.
        pictures: patterns of further files in the run folder; of each, the last is shown at the end.
    """

    name: str
    module: type[SteppedModule]
    network: Callable[[Any], nn.Module]
    takes_data: bool
    callbacks: Callbacks
    metrics: Metrics
    evaluation: str
    figure_name: str
    figure: Callable[[Sequence[Row], str], Figure]
    table: Callable[[Sequence[Row], str], Table]
    content: Callable[[RunRecord, Sequence[Row]], RunContent]
    exportables: Callable[[Any, bool], list[Exportable]]
    pictures: tuple[str, ...] = ()

    @property
    def step_name(self) -> str:
        """The counter over which figures are drawn."""
        return self.module.counters[0]

    def evaluations(self, metrics_csv: Path) -> list[Row]:
        """The evaluations of a run.

        Args:
            metrics_csv: of the run.

        Raises:
            ValueError: there is none yet, or the file is damaged.
            OSError: it cannot be read.
        """
        return read_history(metrics_csv).having(self.evaluation)


def stated_shape(network: nn.Module, name: str) -> tuple[int, ...] | None:
    """A shape that a network states as an attribute.

    Args:
        network: any.
        name: of the attribute.
    """
    shape = getattr(network, name, None)
    return tuple(int(size) for size in shape) if isinstance(shape, Sequence) else None

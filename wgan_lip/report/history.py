"""The numbers of a run, read back from its metrics.csv."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from wgan_lip.metrics import Metric
from wgan_lip.runs import read_metrics_file


@dataclass(frozen=True)
class Row:
    """What was logged at one step.

    ``row["w1/exact"]`` is a metric's value, None where it was not logged or is not finite.

    Attributes:
        step: of the training.
        values: by the metric's name; finite.
    """

    step: int
    values: Mapping[str, float]

    def __getitem__(self, name: str) -> float | None:
        return self.values.get(name)

    def spread(self, metric: Metric) -> tuple[float, float] | None:
        """The confidence interval of a metric, or two standard errors on either side; None where it has neither.

        Args:
            metric: of the run.
        """
        value, error = self[metric.name], self[metric.error]
        if value is None:
            return None
        if error is not None:
            return value - 2 * error, value + 2 * error
        low, high = (self[end] for end in metric.ends or ("", ""))
        return None if low is None or high is None else (low, high)


@dataclass(frozen=True)
class History:
    """All that a run logged.

    Attributes:
        path: of its metrics.csv.
        step_name: the counter over which the kind of training draws its figures.
        rows: one for each step at which something was logged, ascending.
    """

    path: Path
    step_name: str
    rows: Sequence[Row]

    @property
    def step_title(self) -> str:
        """The counter in words: "generator step"."""
        return self.step_name.replace("_", " ")

    @cached_property
    def names(self) -> list[str]:
        """The names of all metrics, in the order in which they were logged first."""
        return list(dict.fromkeys(name for row in self.rows for name in row.values))

    def having(self, name: str) -> list[Row]:
        """The rows in which a metric was logged; its evaluations, if each logs it.

        Args:
            name: of the metric.

        Raises:
            ValueError: it was never logged.
        """
        rows = [row for row in self.rows if name in row.values]
        if not rows:
            raise ValueError(f"{self.path} holds no evaluation: {name} was never logged")
        return rows


def read_history(metrics_csv: Path) -> History:
    """Read a run's metrics.csv, which may be growing.

    Args:
        metrics_csv: the file that ``MetricsCSV`` wrote; its first column that ends in ``_step`` counts the steps.

    Raises:
        ValueError: nothing was logged, or the file is damaged.
        OSError: it cannot be read.
    """
    found = read_metrics_file(metrics_csv)
    # Callbacks of other packages may log before the module does.
    step_name = next((name for name in found.columns if name.endswith("_step")), "")
    if not step_name or not found.rows:
        raise ValueError(f"{metrics_csv} holds no steps of a training")
    by_step: dict[int, dict[str, float]] = {}
    for row in found.rows:
        if step_name not in row:
            # Logged by a callback that does not count the module's steps, such as Lightning's LearningRateMonitor.
            continue
        values = {name: float(text) for name, text in row.items() if not name.endswith("_step")}
        # Figures and JSON have no NaN or infinity.
        finite = {name: value for name, value in values.items() if math.isfinite(value)}
        by_step.setdefault(int(row[step_name]), {}).update(finite)
    rows = [Row(step, values) for step, values in sorted(by_step.items()) if values]
    if not rows:
        raise ValueError(f"{metrics_csv} holds no numbers yet")
    return History(metrics_csv, step_name, rows)

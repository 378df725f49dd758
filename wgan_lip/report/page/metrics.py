"""The numbers of a run, by name and step."""

import math
from dataclasses import dataclass
from pathlib import Path

from wgan_lip.report.records import read_rows

# Of the kinds of training, from that with the most counters to that with the fewest.
_STEP_NAMES = ("generator_step", "critic_step", "classifier_step")


@dataclass(frozen=True)
class Series:
    """One metric: its values at the steps at which it was logged.

    Attributes:
        steps: ascending.
        values: one for each; finite.
    """

    steps: tuple[int, ...]
    values: tuple[float, ...]

    @property
    def last(self) -> float:
        """The latest value."""
        return self.values[-1]

    def thinned(self, most: int) -> "Series":
        """Every k-th value, and the last one; all, if there are no more than so many.

        Args:
            most: how many there may be.
        """
        every = math.ceil((len(self.steps) - 1) / max(1, most - 1)) or 1
        # Counted from the end, so that the last is among them.
        kept = sorted(range(len(self.steps) - 1, -1, -every))
        return Series(tuple(self.steps[i] for i in kept), tuple(self.values[i] for i in kept))


@dataclass(frozen=True)
class Metrics:
    """All that was logged.

    Attributes:
        step_name: of the counter over which everything is drawn.
        series: by the metric's name.
    """

    step_name: str
    series: dict[str, Series]

    @property
    def last_step(self) -> int:
        """The latest step at which something was logged."""
        return max(max(series.steps) for series in self.series.values())

    def beginning(self, prefix: str) -> dict[str, Series]:
        """The metrics whose names begin so, by the rest of their names.

        Args:
            prefix: such as ``features/``.
        """
        return {name.removeprefix(prefix): one for name, one in self.series.items() if name.startswith(prefix)}

    def at(self, name: str, step: int) -> float | None:
        """A metric's value at a step; None where it was not logged.

        Args:
            name: of the metric.
            step: exactly.
        """
        one = self.series.get(name)
        return dict(zip(one.steps, one.values, strict=True)).get(step) if one else None


def read_metrics(metrics_csv: Path) -> Metrics:
    """Read a run's metrics.csv.

    Args:
        metrics_csv: the file that ``MetricsCSV`` wrote; it may be growing.

    Raises:
        ValueError: nothing was logged, or it is no such file.
        OSError: it cannot be read.
    """
    rows = read_rows(metrics_csv)
    step_name = next((name for name in _STEP_NAMES if rows and name in rows[0]), None)
    if step_name is None:
        raise ValueError(f"{metrics_csv} holds no steps of a training")
    found: dict[str, dict[int, float]] = {}
    for row in rows:
        try:
            step = int(row[step_name])
            values = {name: float(text) for name, text in row.items() if not name.endswith("_step")}
        except (KeyError, ValueError) as error:
            raise ValueError(f"{metrics_csv} is damaged: {error}") from None
        for name, value in values.items():
            # What is not finite cannot be drawn, and JSON does not know it.
            if math.isfinite(value):
                found.setdefault(name, {})[step] = value
    if not found:
        raise ValueError(f"{metrics_csv} holds no numbers yet")
    return Metrics(
        step_name,
        {name: Series(tuple(sorted(at)), tuple(at[step] for step in sorted(at))) for name, at in found.items()},
    )

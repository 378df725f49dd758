"""A run's evaluations, read back from its metrics.csv."""

import math
from dataclasses import dataclass
from pathlib import Path

from wgan_lip.report.records import read_records


@dataclass(frozen=True)
class Row:
    """One evaluation, as logged by ``ExactW1``; the fields are those of its ``Evaluation``."""

    generator_step: int
    exact: float
    critic: float
    gap_relative: float
    noise_floor: float
    population_lower: float
    population_upper: float
    certified: float
    seconds: float


def read_history(metrics_csv: Path) -> list[Row]:
    """The evaluations of a run, in the order of their generator steps.

    Args:
        metrics_csv: the file that ``MetricsCSV`` wrote.

    Raises:
        ValueError: the file holds no evaluation.
        OSError: it cannot be read.
    """
    rows = [
        Row(
            generator_step=int(record["generator_step"]),
            exact=float(record["w1/exact"]),
            critic=float(record["w1/critic"]),
            gap_relative=float(record["w1/gap_relative"]),
            noise_floor=float(record["w1/noise_floor"]),
            population_lower=float(record.get("w1/population_lower") or 0),
            population_upper=float(record.get("w1/population_upper") or math.inf),
            certified=float(record["lipschitz/certified"]),
            seconds=float(record["w1/seconds"]),
        )
        for record in read_records(metrics_csv, "w1/exact")
    ]
    return sorted(rows, key=lambda row: row.generator_step)

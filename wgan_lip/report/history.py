"""A run's evaluations, read back from its metrics.csv."""

from dataclasses import dataclass
from pathlib import Path

from wgan_lip.report.records import read_evaluations


@dataclass(frozen=True)
class Row:
    """One evaluation, as logged by ``ExactW1``; the fields are those of its ``Evaluation``.

    ``averaged`` is the exact W1 of samples of the averaged generator. Where the time budget did not suffice for
    ``exact`` it lies between ``exact_lower`` and ``exact_upper``.
    """

    generator_step: int
    exact: float | None
    critic: float | None
    uncertified: float | None
    gap_relative: float | None
    noise_floor: float | None
    population_lower: float | None
    population_upper: float | None
    certified: float | None
    averaged: float | None
    seconds: float
    exact_lower: float | None = None
    exact_upper: float | None = None
    exact_standard_error: float | None = None
    noise_floor_standard_error: float | None = None
    averaged_standard_error: float | None = None


def read_history(metrics_csv: Path) -> list[Row]:
    """The evaluations of a run, in the order of their generator steps.

    Args:
        metrics_csv: the file that ``MetricsCSV`` wrote.

    Raises:
        ValueError: the file holds no evaluation, or is damaged.
        OSError: it cannot be read.
    """
    rows = read_evaluations(
        metrics_csv,
        "w1/seconds",
        lambda record: Row(
            generator_step=int(record["generator_step"]),
            exact=_known(record, "w1/exact"),
            exact_standard_error=_known(record, "w1/exact_standard_error"),
            exact_lower=_known(record, "w1/exact_lower"),
            exact_upper=_known(record, "w1/exact_upper"),
            critic=_known(record, "w1/critic"),
            uncertified=_known(record, "w1/uncertified"),
            gap_relative=_known(record, "w1/gap_relative"),
            noise_floor=_known(record, "w1/noise_floor"),
            noise_floor_standard_error=_known(record, "w1/noise_floor_standard_error"),
            population_lower=_known(record, "w1/population_lower"),
            population_upper=_known(record, "w1/population_upper"),
            certified=_known(record, "lipschitz/certified"),
            averaged=_known(record, "w1_averaged/exact"),
            averaged_standard_error=_known(record, "w1_averaged/exact_standard_error"),
            seconds=float(record["w1/seconds"]),
        ),
    )
    return sorted(rows, key=lambda row: row.generator_step)


def _known(record: dict[str, str], name: str) -> float | None:
    value = record.get(name)
    return float(value) if value else None

"""The evaluations of one pair's estimator, read back from its metrics.csv."""

from dataclasses import dataclass
from pathlib import Path

from wgan_lip.report.records import read_evaluations


@dataclass(frozen=True)
class EstimateRow:
    """One evaluation, as logged by ``HeldOutW1``; the fields are those of its ``Estimate``."""

    critic_step: int
    critic: float | None
    standard_error: float | None
    uncertified: float | None
    uncertified_standard_error: float | None
    truth: float | None
    truth_standard_error: float | None
    error: float | None
    exact: float | None
    gap: float | None
    noise_floor: float | None
    certified: float | None
    cosine: float | None
    l2: float | None
    exact_standard_error: float | None = None
    noise_floor_standard_error: float | None = None


def read_estimates(metrics_csv: Path) -> list[EstimateRow]:
    """The evaluations of a run, in the order of their steps.

    Args:
        metrics_csv: the file that ``MetricsCSV`` wrote.

    Raises:
        ValueError: the file holds no evaluation, or is damaged.
        OSError: it cannot be read.
    """

    def row(record: dict[str, str]) -> EstimateRow:
        def value(name: str) -> float | None:
            return float(text) if (text := record.get(name)) else None

        return EstimateRow(
            critic_step=int(record["critic_step"]),
            critic=value("w1/critic"),
            standard_error=value("w1/standard_error"),
            uncertified=value("w1/uncertified"),
            uncertified_standard_error=value("w1/uncertified_standard_error"),
            truth=value("w1/truth"),
            truth_standard_error=value("w1/truth_standard_error"),
            error=value("w1/error"),
            exact=value("w1/exact"),
            exact_standard_error=value("w1/exact_standard_error"),
            gap=value("w1/gap"),
            noise_floor=value("w1/noise_floor"),
            noise_floor_standard_error=value("w1/noise_floor_standard_error"),
            certified=value("lipschitz/certified"),
            cosine=value("gradient/cosine"),
            l2=value("gradient/l2"),
        )

    # Every evaluation has a gradient's norm, whatever else is known.
    rows = read_evaluations(metrics_csv, "gradient/norm", row)
    return sorted(rows, key=lambda row: row.critic_step)

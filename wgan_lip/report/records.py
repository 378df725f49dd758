"""A run's metrics.csv, read back."""

import csv
from pathlib import Path


def read_records(metrics_csv: Path, name: str) -> list[dict[str, str]]:
    """The rows in which a metric was logged.

    Args:
        metrics_csv: the file that ``MetricsCSV`` wrote.
        name: the metric, which is the mark of an evaluation.

    Raises:
        ValueError: there is none.
        OSError: the file cannot be read.
    """
    with metrics_csv.open(newline="") as file:
        records = [record for record in csv.DictReader(file) if record.get(name)]
    if not records:
        raise ValueError(f"{metrics_csv} holds no evaluation: {name} was never logged")
    return records

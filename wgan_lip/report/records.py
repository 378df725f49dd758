"""A run's metrics.csv, read back."""

import csv
from pathlib import Path


def read_rows(metrics_csv: Path) -> list[dict[str, str]]:
    """All rows, each with the values that it has.

    A last row that is being written, while the run goes on, is left out.

    Args:
        metrics_csv: the file that ``MetricsCSV`` wrote.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is not text.
    """
    text = metrics_csv.read_text()
    whole = text[: text.rfind("\n") + 1]
    rows = csv.DictReader(whole.splitlines())
    return [{name: value for name, value in row.items() if name and value} for row in rows]


def read_records(metrics_csv: Path, name: str) -> list[dict[str, str]]:
    """The rows in which a metric was logged.

    Args:
        metrics_csv: the file that ``MetricsCSV`` wrote.
        name: the metric, which is the mark of an evaluation.

    Raises:
        ValueError: there is none.
        OSError: the file cannot be read.
    """
    records = [row for row in read_rows(metrics_csv) if name in row]
    if not records:
        raise ValueError(f"{metrics_csv} holds no evaluation: {name} was never logged")
    return records

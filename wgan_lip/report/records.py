"""A run's metrics.csv, read back."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from wgan_lip.runs.metrics_file import read_metrics_file

T = TypeVar("T")


class NoEvaluationError(ValueError):
    """A run in which a metric was never logged."""


def read_rows(metrics_csv: Path) -> list[dict[str, str]]:
    """All rows, each with the values that it has, which are numbers.

    A last row that is being written, while the run goes on, is left out.

    Args:
        metrics_csv: the file that ``MetricsCSV`` wrote.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is damaged.
    """
    return list(read_metrics_file(metrics_csv).rows)


def read_records(metrics_csv: Path, name: str) -> list[dict[str, str]]:
    """The rows in which a metric was logged.

    Args:
        metrics_csv: the file that ``MetricsCSV`` wrote.
        name: the metric, which is the mark of an evaluation.

    Raises:
        ValueError: there is none, which is a ``NoEvaluationError``; or the file is damaged.
        OSError: the file cannot be read.
    """
    records = [row for row in read_rows(metrics_csv) if name in row]
    if not records:
        raise NoEvaluationError(f"{metrics_csv} holds no evaluation: {name} was never logged")
    return records


def read_evaluations(metrics_csv: Path, name: str, convert: Callable[[dict[str, str]], T]) -> list[T]:
    """The rows in which a metric was logged, converted.

    Args:
        metrics_csv: the file that ``MetricsCSV`` wrote.
        name: the metric, which is the mark of an evaluation.
        convert: such a row to what it means; it may take for granted what is logged beside the metric.

    Raises:
        ValueError: as ``read_records``, or a row lacks what is logged beside the metric.
        OSError: the file cannot be read.
    """
    records = read_records(metrics_csv, name)
    try:
        return [convert(record) for record in records]
    except KeyError as error:
        raise ValueError(f"{metrics_csv} is damaged: a row with {name} lacks {error.args[0]}") from None
    except ValueError as error:
        raise ValueError(f"{metrics_csv} is damaged: {error}") from None

"""A run's metrics.csv, read back; a file that is not whole is refused."""

import csv
import io
import re
from dataclasses import dataclass
from pathlib import Path

# Steps are counted by whole numbers, of which floats hold all up to this one.
_MOST_STEPS = 2**53


@dataclass(frozen=True)
class MetricsFile:
    """What a metrics.csv holds.

    Attributes:
        columns: the names in its header; none if nothing was written yet.
        rows: each with the values that it has, as they are written.
        size: bytes of the whole lines; what comes after them is a row that was being written.
    """

    columns: tuple[str, ...]
    rows: tuple[dict[str, str], ...]
    size: int


def read_metrics_file(path: Path) -> MetricsFile:
    """Read a metrics.csv, without a last line that is being written or was cut off by a kill.

    Args:
        path: the file that ``MetricsCSV`` wrote.

    Raises:
        ValueError: the file is damaged: not text in UTF-8, a header that does not name each column once, a row of
            more or fewer values than that, or a value that is not a number; whole where its name ends in ``_step``.
        OSError: it cannot be read.
    """
    if path.exists() and not path.is_file():
        raise ValueError(f"{path} is not a file: a metrics.csv is required, as a training writes it")
    content = path.read_bytes()
    content = content[: content.rfind(b"\n") + 1]
    try:
        # No byte order mark is taken away: a file with one is not as the training wrote it.
        reader = csv.reader(io.StringIO(content.decode(), newline=""), strict=True)
        columns = tuple(next(reader, ()))
        _check_header(columns)
        rows = tuple(_row(columns, values, reader.line_num) for values in reader)
    except (csv.Error, ValueError) as error:
        raise ValueError(
            f"{path} is damaged: {error}; required are a line of names and, below it, lines of as many numbers, "
            "as a training writes them"
        ) from None
    return MetricsFile(columns, rows, len(content))


def _check_header(columns: tuple[str, ...]) -> None:
    for name in columns:
        if not re.fullmatch(r'[^\s"\ufeff\x00-\x1f\x7f]([^"\x00-\x1f\x7f]*\S)?', name):
            raise ValueError(f"its header holds {name!r}, which is no name")
    if len(set(columns)) < len(columns):
        raise ValueError("its header names a column twice")


def _row(columns: tuple[str, ...], values: list[str], line: int) -> dict[str, str]:
    # More commas than names lose nothing.
    if len(values) < len(columns) or any(values[len(columns) :]):
        raise ValueError(f"line {line} has {len(values)} values for {len(columns)} columns")
    row = {name: value for name, value in zip(columns, values, strict=False) if value}
    for name, value in row.items():
        try:
            if not name.endswith("_step"):
                float(value)
            elif not 0 <= int(value) <= _MOST_STEPS:
                raise ValueError(f"{value[:40]} is no step")
        except ValueError as error:
            raise ValueError(f"{str(error)[:200]} (line {line}, {name})") from None
    return row

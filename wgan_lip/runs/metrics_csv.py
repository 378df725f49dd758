"""A run's metrics.csv: written row by row, continued when the run is resumed, and read back."""

import csv
import io
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from numbers import Number
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers import Logger
from pytorch_lightning.utilities import rank_zero_only, rank_zero_warn
from torch import Tensor

from wgan_lip.replaced import check_no_link, replace_text

# Steps are whole numbers; floats represent all of them up to this one.
_MOST_STEPS = 2**53


@dataclass(frozen=True)
class MetricsFile:
    """The content of a metrics.csv.

    Attributes:
        columns: the names in its header; none if nothing was written yet.
        rows: each with the values that it has, as text.
        size: of the complete lines, in bytes; what follows is a row that was being written.
    """

    columns: tuple[str, ...]
    rows: tuple[dict[str, str], ...]
    size: int


def read_metrics_file(path: Path) -> MetricsFile:
    """Read a metrics.csv; an incomplete last line, which is being written or was cut off by a kill, is left out.

    Args:
        path: the file that ``MetricsCSV`` wrote.

    Raises:
        ValueError: the file is damaged: not text in UTF-8, a header that does not name each column once, a row with
            another number of values, or a value that is not a number (a whole one in columns ``*_step``).
        OSError: it cannot be read.
    """
    if path.exists() and not path.is_file():
        raise ValueError(f"{path} is not a file: the metrics.csv of a run is required")
    content = path.read_bytes()
    content = content[: content.rfind(b"\n") + 1]
    try:
        # A byte order mark is not removed: a training writes none.
        reader = csv.reader(io.StringIO(content.decode(), newline=""), strict=True)
        columns = tuple(next(reader, ()))
        _check_header(columns)
        rows = tuple(_row(columns, values, reader.line_num) for values in reader)
    except (csv.Error, ValueError) as error:
        raise ValueError(
            f"{path} is damaged: {error}; a line of names and, below it, lines of as many numbers are required"
        ) from None
    return MetricsFile(columns, rows, len(content))


def _check_header(columns: tuple[str, ...]) -> None:
    for name in columns:
        if not re.fullmatch(r'[^\s"\ufeff\x00-\x1f\x7f]([^"\x00-\x1f\x7f]*\S)?', name):
            raise ValueError(f"its header holds {name!r}, which is not the name of a metric")
    if len(set(columns)) < len(columns):
        raise ValueError("its header names a column twice")


def _row(columns: tuple[str, ...], values: list[str], line: int) -> dict[str, str]:
    # Empty values at the end are harmless.
    if len(values) < len(columns) or any(values[len(columns) :]):
        raise ValueError(f"line {line} has {len(values)} values for {len(columns)} columns")
    row = {name: value for name, value in zip(columns, values, strict=False) if value}
    for name, value in row.items():
        try:
            if not name.endswith("_step"):
                float(value)
            elif not 0 <= int(value) <= _MOST_STEPS:
                raise ValueError(f"{value[:40]} is not a step")
        except ValueError as error:
            raise ValueError(f"{str(error)[:200]} (line {line}, {name})") from None
    return row


class MetricsCSV(Logger):
    """A logger that writes each record as a row of a CSV file; a value that a record lacks is an empty cell.

    Rows are on the disk when ``log_metrics`` returns. A new name adds a column. If another program removed, emptied or
    changed the file in the meantime, it is begun again, or continued as it is, with a warning.

    Args:
        path: the file.
        resume: continue an existing file; otherwise the first row replaces it.

    Raises:
        ValueError: the existing file is damaged; from ``log_metrics`` also: a value is not a number.
        OSError: the file cannot be read; from ``log_metrics``: it cannot be written, or is a link.
    """

    def __init__(self, path: Path, resume: bool = True) -> None:
        super().__init__()
        self.path = path
        self.rows = 0
        self._resume = resume
        self._columns: tuple[str, ...] = ()
        # Of the complete rows, in bytes; what follows in the file is a row that was cut off.
        self._size = 0
        if resume and path.exists():
            self._continue(read_metrics_file(path))

    @property
    def save_dir(self) -> str:
        return str(self.path.parent)

    @property
    def name(self) -> str:
        return "metrics"

    @property
    def version(self) -> str:
        return ""

    @rank_zero_only
    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        """Log nothing, because the run's folder holds its config."""

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, Any], step: int | None = None) -> None:
        row = {name: value.item() if isinstance(value, Tensor) else value for name, value in metrics.items()}
        for name, value in row.items():
            if not isinstance(value, Number):
                raise ValueError(f"metrics must be numbers; got {name}={value!r}")
        self._read_changes()
        columns = (*self._columns, *(name for name in row if name not in self._columns))
        if columns != self._columns:
            self._rewrite(columns, read_metrics_file(self.path).rows if self.rows else ())
        self._append(_csv_text(columns, [row]).encode())
        self.rows += 1

    def check_rows(self, rows: int) -> None:
        """Check that a file that is continued still holds the rows that were written before the checkpoint.

        Args:
            rows: their number, by the checkpoint.

        Raises:
            ValueError: it holds fewer.
        """
        if self._resume and self.rows < rows:
            raise ValueError(
                f"{self.path} has {self.rows} rows, but the checkpoint counts {rows}: restore the file that the "
                "training wrote, or begin a new run by --ckpt_path from a copy of the checkpoint outside of this folder"
            )

    @rank_zero_only
    def truncate(self, rows: int) -> None:
        """Drop the rows after the first ``rows``: those that were written after the checkpoint."""
        if self.rows > rows:
            self._rewrite(self._columns, read_metrics_file(self.path).rows[:rows])
            self.rows = rows

    def _read_changes(self) -> None:
        """Continue the file as it is now, if another program changed it."""
        size = self.path.stat().st_size if self.path.exists() else 0
        if not self._columns or size == self._size:
            return
        before = self.rows
        self._continue(MetricsFile((), (), 0) if size == 0 else read_metrics_file(self.path))
        if size != self._size:
            # Without the row that was cut off.
            self._rewrite(self._columns, read_metrics_file(self.path).rows)
        if self.rows != before:
            rank_zero_warn(
                f"{self.path} was changed by another program: it has {self.rows} rows instead of {before}, and is "
                "continued"
            )

    def _continue(self, found: MetricsFile) -> None:
        self._columns, self.rows, self._size = found.columns, len(found.rows), found.size

    def _rewrite(self, columns: tuple[str, ...], rows: Iterable[Mapping[str, Any]]) -> None:
        text = _csv_text(columns, rows, header=True)
        replace_text(self.path, text)
        self._columns, self._size = columns, len(text.encode())

    def _append(self, line: bytes) -> None:
        check_no_link(self.path)
        try:
            flags = os.O_WRONLY | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0)
            with os.fdopen(os.open(self.path, flags), "ab") as file:
                file.write(line)
        except OSError as error:
            raise OSError(f"cannot write {self.path}: {error.strerror}") from error
        self._size += len(line)


def _csv_text(columns: Iterable[str], rows: Iterable[Mapping[str, Any]], header: bool = False) -> str:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(columns))
    if header:
        writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()

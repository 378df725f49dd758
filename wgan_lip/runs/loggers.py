"""Where the numbers go: a metrics.csv that survives a resume, and Weights & Biases."""

import csv
import io
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from numbers import Number
from pathlib import Path
from typing import Any

import wandb
from pytorch_lightning.loggers import Logger, WandbLogger
from pytorch_lightning.utilities import rank_zero_only, rank_zero_warn
from torch import Tensor

from wgan_lip.replaced import check_no_link, replace_text
from wgan_lip.runs.metrics_file import MetricsFile, read_metrics_file
from wgan_lip.runs.wandb_mode import WandbMode, decide_mode
from wgan_lip.runs.wandb_parts import lost_rows

# Of metrics and pictures, all drawn over the module's own steps.
_GROUPS = (
    *("w1", "w1_averaged", "features", "inception", "lipschitz", "gradient", "gradient_norm", "accuracy"),
    *("train", "samples", "critic", "report"),
)

# A server that is away is given up after half a minute; at the end, when a job may be about to lose its node, after a
# minute: what was not sent lies on the disk.
_INIT_SECONDS = 30
_FINISH_SECONDS = 60
# So much is lost to W&B of a run that is killed; by default it would be a quarter of a minute.
_FLUSH_SECONDS = 1


class MetricsCSV(Logger):
    """Writes one row a record to a CSV file; a value that a record lacks is an empty cell.

    Rows are on the disk when ``log_metrics`` returns. A new name adds a column. A file that somebody removed, emptied
    or changed in the meantime is begun anew, or gone on with as it is, with a warning.

    Args:
        path: the file.
        resume: continue an existing file; otherwise the first row replaces it.

    Raises:
        ValueError: the existing file is damaged; from ``log_metrics`` also, what is logged is not a number.
        OSError: the file cannot be read; from ``log_metrics``, it cannot be written, or is a link.
    """

    def __init__(self, path: Path, resume: bool = True) -> None:
        super().__init__()
        self.path = path
        self.rows = 0
        self._resume = resume
        self._columns: tuple[str, ...] = ()
        # As it was left; more is a row that was cut off.
        self._size = 0
        if resume and path.exists():
            self._take(read_metrics_file(path))

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
        """Nothing: the run's folder holds its config."""

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, Any], step: int | None = None) -> None:
        row = {name: value.item() if isinstance(value, Tensor) else value for name, value in metrics.items()}
        for name, value in row.items():
            if not isinstance(value, Number):
                raise ValueError(f"metrics must be numbers; got {name}={value!r}")
        self._see_changes()
        columns = (*self._columns, *(name for name in row if name not in self._columns))
        if columns != self._columns:
            self._rewrite(columns, read_metrics_file(self.path).rows if self.rows else ())
        self._append(_csv_text(columns, [row]).encode())
        self.rows += 1

    def check_rows(self, rows: int) -> None:
        """See that a file that is continued holds what was written before the checkpoint.

        Args:
            rows: that the checkpoint counts.

        Raises:
            ValueError: it holds fewer.
        """
        if self._resume and self.rows < rows:
            raise ValueError(
                f"{self.path} has {self.rows} rows, the checkpoint counts {rows}: put back the file that the training "
                "wrote, or begin a new run by --ckpt_path from a copy of the checkpoint outside of this folder"
            )

    @rank_zero_only
    def truncate(self, rows: int) -> None:
        """Drop all but the first ``rows`` rows: what was written after the checkpoint that is resumed."""
        if self.rows > rows:
            self._rewrite(self._columns, read_metrics_file(self.path).rows[:rows])
            self.rows = rows

    def _see_changes(self) -> None:
        """Take the file as it is now, if it is not as this logger left it."""
        size = self.path.stat().st_size if self.path.exists() else 0
        if not self._columns or size == self._size:
            return
        before = self.rows
        self._take(MetricsFile((), (), 0) if size == 0 else read_metrics_file(self.path))
        if size != self._size:
            # The rest of a row that was cut off.
            self._rewrite(self._columns, read_metrics_file(self.path).rows)
        if self.rows != before:
            rank_zero_warn(f"{self.path} was changed by others: of {before} rows it has {self.rows}, and goes on there")

    def _take(self, found: MetricsFile) -> None:
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


class StepWandbLogger(WandbLogger):
    """Lightning's ``WandbLogger`` with this package's metrics drawn over the module's own steps.

    Args:
        step_name: of the counter that is logged with every record.
        fall_back: go on offline, with a warning, if W&B cannot be reached or rejects the key.
        lost: rows that a killed start of this run did not leave to W&B, to be logged first.
        kwargs: those of ``WandbLogger``.

    Raises:
        ValueError: W&B could not be started.
    """

    def __init__(self, step_name: str, fall_back: bool, lost: Iterable[dict[str, float]] = (), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._lost = lost
        self._step_name = step_name
        self._fall_back = fall_back
        # Lightning passes it on always, W&B warns of it always.
        self._wandb_init.pop("anonymous", None)

    @property
    @rank_zero_only
    def experiment(self) -> Any:
        fresh = self._experiment is None
        try:
            run = super().experiment
        except (wandb.Error, TimeoutError) as error:
            if not self._fall_back or self._wandb_init["mode"] == "offline":
                raise ValueError(f"Weights & Biases: {error}; --wandb.mode offline does without a server") from error
            rank_zero_warn(f"Weights & Biases: {error}; this run goes on offline")
            self._wandb_init["mode"] = "offline"
            # The service still holds the run that it could not start.
            wandb.teardown(exit_code=1)
            run = super().experiment
        if fresh:
            for group in _GROUPS:
                run.define_metric(f"{group}/*", step_metric=self._step_name)
            for row in self._lost:
                run.log(row)
        return run

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        with wandb_may_end():
            super().log_metrics(metrics, step)


def wandb_logger(
    folder: Path,
    run_name: str,
    run_id: str,
    mode: WandbMode = "auto",
    project: str = "wgan-lip",
    step_name: str = "generator_step",
    resumed_rows: int = 0,
    say: Callable[[str], None] = lambda line: None,
    **init: Any,
) -> WandbLogger | None:
    """A logger that never asks: online where there is an API key, offline otherwise.

    Args:
        folder: the run's folder; W&B's own files go to ``folder/wandb``.
        run_name: shown by W&B.
        run_id: the id under which a resumed run goes on.
        mode: "auto" obeys W&B's own settings (``decide_mode``), then looks for a key; the others are W&B's.
        project: W&B's project.
        step_name: of the counter over which metrics are drawn.
        resumed_rows: of metrics.csv, if the run goes on from a checkpoint: how many it counts.
        say: is told in a line why, where W&B's own settings decide.
        init: further arguments of ``wandb.init``: entity, group, tags.

    Returns:
        The logger, or None if W&B is disabled.
    """
    automatic = mode == "auto"
    decided = decide_mode(mode, os.environ)
    mode = decided.mode
    if decided.why and _is_first():
        say(f"Weights & Biases: {decided.why}.")
    if mode == "disabled":
        return None
    return StepWandbLogger(
        step_name=step_name,
        fall_back=automatic,
        lost=lost_rows(folder, resumed_rows, step_name) if resumed_rows and _is_first() else (),
        name=run_name,
        save_dir=folder,
        id=run_id,
        project=project,
        mode=mode,
        settings=wandb.Settings(
            console="off",
            silent=mode == "offline",
            init_timeout=_INIT_SECONDS,
            finish_timeout=_FINISH_SECONDS,
            x_transaction_log_flush_interval=_FLUSH_SECONDS,
        ),
        **init,
    )


@contextmanager
def wandb_may_end() -> Iterator[None]:
    """What a run tells W&B meanwhile is lost, with a warning, if W&B's own process has ended.

    On some clusters Slurm sends it the signal that asks the training to stop, and it obeys at once, when the training
    has yet to finish its step and to save it. The run that goes on logs again what is missing.
    """
    try:
        yield
    except ConnectionError as error:
        rank_zero_warn(f"Weights & Biases: its process has ended ({error}); all metrics are in metrics.csv")
        # Else W&B would find out again when this process ends, and be less brief about it.
        with suppress(ConnectionError):
            wandb.teardown(exit_code=1)


def _is_first() -> bool:
    return bool(rank_zero_only.rank == 0)  # type: ignore[attr-defined]

"""Where the numbers go: a metrics.csv that survives a resume, and Weights & Biases."""

import csv
import netrc
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlparse

import wandb
from pytorch_lightning.loggers import Logger, WandbLogger
from pytorch_lightning.utilities import rank_zero_only, rank_zero_warn
from torch import Tensor

from wgan_lip.training.stepped import SteppedModule
from wgan_lip.training.wandb_parts import lost_rows

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

WandbMode = Literal["auto", "online", "offline", "disabled"]


class MetricsCSV(Logger):
    """Writes one row a record to a CSV file; a value that a record lacks is an empty cell.

    Rows are on the disk when ``log_metrics`` returns. A new name adds a column.

    Args:
        path: the file.
        resume: continue an existing file; otherwise the first row replaces it.
    """

    def __init__(self, path: Path, resume: bool = True) -> None:
        super().__init__()
        self.path = path
        self.rows = 0
        self._columns: list[str] = []
        if resume and path.exists():
            columns, rows = self._read()
            self._columns, self.rows = columns, len(rows)

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
        new = [name for name in row if name not in self._columns]
        if new:
            self._rewrite(self._columns + new, self._read()[1] if self.rows else [])
        with self.path.open("a", newline="") as file:
            csv.DictWriter(file, self._columns).writerow(row)
        self.rows += 1

    @rank_zero_only
    def truncate(self, rows: int) -> None:
        """Drop all but the first ``rows`` rows: what was written after the checkpoint that is resumed."""
        if self.rows > rows:
            self._rewrite(self._columns, self._read()[1][:rows])
            self.rows = rows

    def _read(self) -> tuple[list[str], list[dict[str, str]]]:
        with self.path.open(newline="") as file:
            reader = csv.DictReader(file)
            return list(reader.fieldnames or []), list(reader)

    def _rewrite(self, columns: list[str], rows: Iterable[dict[str, str]]) -> None:
        # Through a temporary file, so that a run killed here loses nothing.
        temporary = self.path.with_suffix(".tmp")
        with temporary.open("w", newline="") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(rows)
        temporary.replace(self.path)
        self._columns = columns


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
    **init: Any,
) -> WandbLogger | None:
    """A logger that never asks: online where there is an API key, offline otherwise.

    Args:
        folder: the run's folder; W&B's own files go to ``folder/wandb``.
        run_name: shown by W&B.
        run_id: the id under which a resumed run goes on.
        mode: "auto" looks for a key (environment or netrc) and respects WANDB_MODE; the others are W&B's.
        project: W&B's project.
        step_name: of the counter over which metrics are drawn.
        resumed_rows: of metrics.csv, if the run goes on from a checkpoint: how many it counts.
        init: further arguments of ``wandb.init``: entity, group, tags.

    Returns:
        The logger, or None if W&B is disabled.
    """
    automatic = mode == "auto"
    if mode == "auto":
        mode = _auto_mode()
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


def log_picture(loggers: Iterable[Logger], key: str, path: Path, module: SteppedModule) -> None:
    """Send a picture to Weights & Biases, where that is among the loggers.

    Args:
        loggers: the trainer's.
        key: its name there.
        path: a PNG file.
        module: whose step says when it was made.
    """
    for logger in loggers:
        if isinstance(logger, WandbLogger):
            with wandb_may_end():
                logger.experiment.log({key: wandb.Image(str(path)), module.step_name: module.step})


def _auto_mode() -> WandbMode:
    asked = os.environ.get("WANDB_MODE", "").lower()
    if asked in ("online", "offline", "disabled"):
        return asked  # type: ignore[return-value]
    if asked not in ("", "dryrun", "shared", "run"):
        raise ValueError(f"WANDB_MODE must be online, offline or disabled; got {asked}")
    if asked == "dryrun":
        return "offline"
    return "online" if _has_api_key() else "offline"


def _has_api_key() -> bool:
    if os.environ.get("WANDB_API_KEY") or os.environ.get("WANDB_IDENTITY_TOKEN_FILE"):
        return True
    host = urlparse(os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai")).hostname or ""
    try:
        return netrc.netrc(os.environ.get("NETRC")).authenticators(host) is not None
    except (OSError, netrc.NetrcParseError):
        return False


def _is_first() -> bool:
    return bool(rank_zero_only.rank == 0)  # type: ignore[attr-defined]

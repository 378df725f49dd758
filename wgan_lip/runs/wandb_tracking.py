"""Weights & Biases: the logger of a run, its offline runs, and what is sent at the end of one."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import wandb
from pytorch_lightning.loggers import Logger, WandbLogger
from pytorch_lightning.utilities import rank_zero_only, rank_zero_warn

from wgan_lip.metrics import CLASSIFIER, ESTIMATOR, GAN
from wgan_lip.runs.metrics_csv import read_metrics_file
from wgan_lip.runs.wandb_mode import WandbMode, decide_mode
from wgan_lip.training import SteppedModule


@dataclass(frozen=True)
class OfflineRun:
    """The record of one start of a run.

    Attributes:
        folder: W&B's, ``wandb/offline-run-TIME-ID``.
        ended: whether the process that recorded it has ended by itself: it was not killed, and does not run any more.
        last: the last value of each metric.
    """

    folder: Path
    ended: bool
    last: dict[str, Any]


def offline_runs(run_folder: Path) -> list[Path]:
    """List the folders of W&B's offline runs in a run's folder, the oldest first.

    Args:
        run_folder: of the run.
    """
    return sorted((run_folder / "wandb").glob("offline-run-*-*"))


def read_offline_run(folder: Path) -> OfflineRun:
    """Read the complete records of an offline run.

    Args:
        folder: one of ``offline_runs``.

    Raises:
        OSError: W&B's own reader cannot read it.
    """
    command = [sys.executable, "-m", "wandb", "leet", "inspect", "--summary", "--json", str(folder.absolute())]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace")  # noqa: S603
    if done.returncode != 0:
        raise OSError(f"cannot read {folder}: {done.stderr.strip()}")
    summary = json.loads(done.stdout)
    return OfflineRun(folder, summary["exit_code"] is not None, summary["summary"] or {})


def missing_rows(run_folder: Path, rows: int, step_name: str) -> list[dict[str, float]]:
    """Return the rows of metrics.csv that W&B's last offline run lacks because the run was killed.

    The run resumes from a checkpoint that was saved after them, so nothing else would record them again.

    Args:
        run_folder: of the run.
        rows: of metrics.csv, when the checkpoint was saved.
        step_name: of the counter that is in every row.

    Returns:
        Those rows, from the last step that W&B has, perhaps in part; none if the last offline run has ended by itself.

    Raises:
        OSError: a file cannot be read.
        ValueError: metrics.csv is damaged.
    """
    recorded = offline_runs(run_folder)
    if not recorded or not (run_folder / "metrics.csv").is_file():
        return []
    last = read_offline_run(recorded[-1])
    if last.ended:
        return []
    kept = read_metrics_file(run_folder / "metrics.csv").rows[:rows]
    # The last one that has any row says up to which step W&B has them.
    for earlier in reversed(recorded[:-1]):
        if step_name in last.last:
            break
        last = read_offline_run(earlier)
    since = float(last.last.get(step_name, -1))
    return [
        {name: float(value) for name, value in row.items()}
        for row in kept
        if step_name in row and float(row[step_name]) >= since
    ]


# Of metrics and pictures, all drawn over the module's own steps. W&B accepts a ``*`` only at the end of a pattern.
_GROUPS = dict.fromkeys(
    [*(name.partition("/")[0] for name in (*GAN, *ESTIMATOR, *CLASSIFIER)), "samples", "critic", "report"]
)
_PATTERNS = tuple(group if group.endswith("*") else f"{group}/*" for group in _GROUPS)

# Seconds to wait for a server: at the start; and at the end, when a job may be about to lose its node, and whatever was
# not sent is on the disk.
_INIT_SECONDS = 30
_FINISH_SECONDS = 60
# A run that is killed loses the records of so many seconds in W&B; by default it would be 15.
_FLUSH_SECONDS = 1


class StepWandbLogger(WandbLogger):
    """Lightning's ``WandbLogger`` with this package's metrics drawn over the module's own steps.

    Args:
        step_name: of the counter that is logged with every record.
        fall_back: continue offline, with a warning, if W&B cannot be reached or rejects the key.
        missing: rows that a killed start of this run did not leave to W&B, to be logged first.
        init: arguments of ``wandb.init``, which starts the run when it is first used.

    Raises:
        ValueError: W&B could not be started.
    """

    def __init__(self, step_name: str, fall_back: bool, missing: Iterable[dict[str, float]] = (), **init: Any) -> None:
        super().__init__(name=init["name"], save_dir=init["dir"], id=init["id"], project=init["project"])
        self._step_name = step_name
        self._fall_back = fall_back
        self._missing = missing
        self._init = init
        self._run: Any = None

    @property
    @rank_zero_only
    def experiment(self) -> Any:
        if self._run is None:
            self._run = self._start()
            # Metrics of other callbacks are drawn over Lightning's steps, as its own logger does.
            self._run.define_metric("trainer/global_step")
            self._run.define_metric("*", step_metric="trainer/global_step", step_sync=True)
            for pattern in _PATTERNS:
                self._run.define_metric(pattern, step_metric=self._step_name)
            for row in self._missing:
                self._run.log(row)
        return self._run

    def _start(self) -> Any:
        try:
            return wandb.init(resume="allow", **self._init)
        except (wandb.Error, TimeoutError) as error:
            if not self._fall_back or self._init["mode"] == "offline":
                raise ValueError(f"Weights & Biases: {error}; --wandb.mode offline works without a server") from error
            rank_zero_warn(f"Weights & Biases: {error}; this run continues offline")
            # W&B's service still holds the run that it could not start.
            wandb.teardown(exit_code=1)
            return wandb.init(resume="allow", **{**self._init, "mode": "offline"})

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        with ignore_ended_wandb():
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
    """Make a logger that never prompts: online if there is an API key, offline otherwise.

    Args:
        folder: the run's folder; W&B's own files go to ``folder/wandb``.
        run_name: shown by W&B.
        run_id: the id under which a resumed run continues.
        mode: "auto" follows W&B's own settings (``decide_mode``), and without any looks for a key; the others are
            W&B's.
        project: W&B's project.
        step_name: of the counter over which metrics are drawn.
        resumed_rows: the number of rows of metrics.csv by the checkpoint from which the run resumes; else 0.
        say: called with a line that says why, if W&B's own settings decide.
        init: further arguments of ``wandb.init``: entity, group, tags.

    Returns:
        The logger, or None if W&B is disabled.
    """
    automatic = mode == "auto"
    decided = decide_mode(mode, os.environ)
    mode = decided.mode
    if decided.why and _is_rank_0():
        say(f"Weights & Biases: {decided.why}.")
    if mode == "disabled":
        return None
    return StepWandbLogger(
        step_name=step_name,
        fall_back=automatic,
        missing=missing_rows(folder, resumed_rows, step_name) if resumed_rows and _is_rank_0() else (),
        name=run_name,
        dir=os.fspath(folder),
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
def ignore_ended_wandb() -> Iterator[None]:
    """Continue with a warning if W&B's own process has ended; what is logged from then on is not sent.

    On some clusters Slurm also sends it the signal that stops the training. It obeys at once, while the training still
    completes and saves its step. The run that resumes logs again what is missing.
    """
    try:
        yield
    except ConnectionError as error:
        rank_zero_warn(f"Weights & Biases: its process has ended ({error}); all metrics are in metrics.csv")
        # Otherwise W&B would report the same at length when this process ends.
        with suppress(ConnectionError):
            wandb.teardown(exit_code=1)


@contextmanager
def ignore_unreachable_wandb() -> Iterator[None]:
    """Continue with a warning if W&B does not take what it is sent: all of it lies in the run's folder."""
    try:
        with ignore_ended_wandb():
            yield
    except (wandb.Error, TimeoutError) as error:
        rank_zero_warn(f"Weights & Biases: {error}; nothing is lost: all of it is in the run's folder")


def online_runs(loggers: Iterable[Logger]) -> Iterator[Any]:
    """Yield the runs of W&B that are not offline.

    Args:
        loggers: the trainer's.
    """
    for logger in loggers:
        if isinstance(logger, WandbLogger) and not logger.experiment.offline:
            yield logger.experiment


def log_table(loggers: Iterable[Logger], key: str, rows: Sequence[Mapping[str, Any]], module: SteppedModule) -> None:
    """Send rows as a table, unless offline: metrics.csv and W&B's history hold them anyway.

    Args:
        loggers: the trainer's.
        key: the table's name.
        rows: by column; a value that a row lacks is an empty cell.
        module: whose current step is logged with it.
    """
    columns: list[str | int] = list(dict.fromkeys(name for row in rows for name in row))
    for run in online_runs(loggers):
        table = wandb.Table(columns=columns, data=[[row.get(str(name)) for name in columns] for row in rows])
        run.log({key: table, module.step_name: module.step})


def upload(loggers: Iterable[Logger], kind: str, files: Mapping[str, Path]) -> None:
    """Send files as an artifact of the run, a new version each time, unless offline.

    Args:
        loggers: the trainer's.
        kind: of the files, such as "model": the artifact's type, and the end of its name.
        files: files and folders by their names in the artifact; those that do not exist are left out.
    """
    existing = {name: path for name, path in files.items() if path.exists()}
    for run in online_runs(loggers) if existing else ():
        artifact = wandb.Artifact(f"{run.id}-{kind}", type=kind)
        for name, path in existing.items():
            if path.is_dir():
                artifact.add_dir(str(path), name=name)
            else:
                artifact.add_file(str(path), name=name)
        run.log_artifact(artifact)


def _is_rank_0() -> bool:
    return bool(rank_zero_only.rank == 0)  # type: ignore[attr-defined]

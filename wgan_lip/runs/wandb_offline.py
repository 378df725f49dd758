"""W&B's offline runs in a run's folder: one for each start of the run."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wgan_lip.runs.metrics_csv import read_metrics_file


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

"""What a run that was started several times left of itself on the disk for Weights & Biases: a part for each start."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wgan_lip.runs.metrics_file import read_metrics_file


@dataclass(frozen=True)
class WandbPart:
    """What one start of a run recorded offline.

    Attributes:
        folder: W&B's, ``wandb/offline-run-TIME-ID``.
        ended: whether the process that recorded it came to an end of its own; a killed one did not, or runs still.
        last: the last value of each metric.
    """

    folder: Path
    ended: bool
    last: dict[str, Any]


def wandb_parts(run_folder: Path) -> list[Path]:
    """The folders that W&B recorded offline in a run's folder, in the order in which they were begun.

    Args:
        run_folder: of the run.
    """
    return sorted((run_folder / "wandb").glob("offline-run-*-*"))


def read_part(folder: Path) -> WandbPart:
    """Read what W&B recorded, as far as it is whole.

    Args:
        folder: one of ``wandb_parts``.

    Raises:
        OSError: W&B's own reader cannot read it.
    """
    command = [sys.executable, "-m", "wandb", "leet", "inspect", "--summary", "--json", str(folder.absolute())]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace")  # noqa: S603
    if done.returncode != 0:
        raise OSError(f"cannot read {folder}: {done.stderr.strip()}")
    summary = json.loads(done.stdout)
    return WandbPart(folder, summary["exit_code"] is not None, summary["summary"] or {})


def lost_rows(run_folder: Path, rows: int, step_name: str) -> list[dict[str, float]]:
    """Rows of metrics.csv that W&B's last part lacks, because the run was killed before W&B wrote them.

    The run goes on from a checkpoint that knows of them, so nothing else would record them again.

    Args:
        run_folder: of the run.
        rows: of metrics.csv, when the checkpoint was saved.
        step_name: of the counter that is in every row.

    Returns:
        Those rows, from the last step that W&B has, which may be there in part; none if the last part ended well.

    Raises:
        OSError: a file cannot be read.
        ValueError: metrics.csv is damaged.
    """
    parts = wandb_parts(run_folder)
    if not parts or not (run_folder / "metrics.csv").is_file():
        return []
    part = read_part(parts[-1])
    if part.ended:
        return []
    kept = read_metrics_file(run_folder / "metrics.csv").rows[:rows]
    # Of a part that lacks even its first row, nobody knows what came before it: the part before that does.
    for earlier in reversed(parts[:-1]):
        if step_name in part.last:
            break
        part = read_part(earlier)
    since = float(part.last.get(step_name, -1))
    return [
        {name: float(value) for name, value in row.items()}
        for row in kept
        if step_name in row and float(row[step_name]) >= since
    ]

"""Upload what runs recorded offline to Weights & Biases, once they can be reached: python scripts/sync_wandb.py runs

Each start of a run leaves a folder ``runs/NAME/RUN/wandb/offline-run-TIME-ID``, all with the same id. ``wandb sync`` by
itself would do, but for runs that were killed: it stops at the first part that ends in the middle of a record, and
uploads such a part again each time that it is asked. This sends a run's parts one by one, in the order in which they
were begun; a part that a later one follows, or that ``--killed`` says nobody writes any more, is sent as far as it goes
and marked as W&B marks the others. What is done is left out the next time.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from wgan_lip.replaced import replace_text
from wgan_lip.runs.wandb_tracking import offline_runs, read_offline_run

# What ``wandb sync`` notes in its log, and tells the terminal, of a part whose end was never written. Either may be
# missing: it may be done before it asks itself for its messages, or gone before its log is on the disk.
_CUT_OFF = ("error getting next record", "ends with an incomplete record")


def sync_run(folder: Path, killed: bool) -> tuple[int, str | None]:
    """Upload the parts of one run.

    Args:
        folder: of the run.
        killed: the last part is sent even if it does not say that its run ended.

    Returns:
        How many parts were sent, and what is in the way of the rest, if anything.
    """
    parts = offline_runs(folder)
    sent = 0
    for part in parts:
        (record,) = part.glob("run-*.wandb")
        mark = record.with_name(record.name + ".synced")
        if mark.exists():
            continue
        if part is parts[-1] and not killed and not read_offline_run(part).ended:
            return sent, f"{part} is still written to; if its run was killed, pass --killed"
        command = [sys.executable, "-m", "wandb", "sync", str(part.absolute())]
        with tempfile.TemporaryDirectory() as logs:
            # Where its own logs go; a failure is said here.
            environment = {**os.environ, "WANDB_DIR": logs}
            done = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", env=environment)  # noqa: S603
            noted = "".join(path.read_text(encoding="utf-8", errors="replace") for path in Path(logs).rglob("*.log"))
        if not mark.exists():
            said = done.stdout + done.stderr
            if not any(sign in noted + said for sign in _CUT_OFF):
                return sent, f"{part}: {said.strip().splitlines()[-1] if said.strip() else 'wandb sync failed'}"
            replace_text(mark, "")
        sent += 1
    return sent, None


def main(args: list[str] | None = None) -> int:
    """Upload all runs below a folder; returns the exit status.

    Args:
        args: the arguments; those of the process if None.
    """
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="?", default="runs", type=Path, help="where all runs live, or one run's folder")
    parser.add_argument("--killed", action="store_true", help="no run below the folder is at work any more")
    arguments = parser.parse_args(args)
    folders = sorted({path.parent.parent for path in arguments.runs.rglob("wandb/offline-run-*")})
    if not folders:
        parser.error(f"{arguments.runs} holds no runs that were recorded offline")
    status = 0
    for folder in folders:
        sent, trouble = sync_run(folder, arguments.killed)
        print(f"{folder}: {sent} of {len(offline_runs(folder))} parts sent")
        if trouble is not None:
            print(f"{folder}: {trouble}", file=sys.stderr)
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())

"""A random search without W&B's server: python scripts/random_search.py configs/sweeps/digits_random.yaml -n 20

Draws n combinations of the parameters in a sweep's file, trains them one after another, and prints a table, the best
first. Further arguments are those of ``wgan-lip fit``, for all runs. The runs are named ``search-SEED-000`` and so on:
the same command run again continues where it was stopped, and a greater -n adds further runs.

On a cluster ``--write FILE`` writes one line of arguments for each run instead, for ``wgan-lip submit --array FILE``,
and ``--table`` prints the table of the runs that there are.
"""

import argparse
import math
import shlex
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import yaml
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1]))

from scripts.shared.sweeps import Sweep, as_arguments, load_sweep
from wgan_lip.cli.configs import config_path
from wgan_lip.console import Console
from wgan_lip.replaced import replace_text
from wgan_lip.report import read_history
from wgan_lip.runs.preemption import CAUGHT
from wgan_lip.runs.run_folder import finished_step


def search_table(runs: Mapping[Path, Mapping[str, Any]], sweep: Sweep) -> Table:
    """The runs of a search, finished ones by their last score, then the others.

    Args:
        runs: what was drawn for each, by its folder, which need not exist.
        sweep: of which they are.

    Raises:
        OSError: a metrics.csv cannot be read.
        ValueError: it is damaged.
    """
    table = Table(
        title=f"{len(runs)} runs by their last {sweep.metric}, the {'least' if sweep.minimize else 'greatest'} first",
        caption=(
            f"The score of the best of {len(runs)} is biased: it was selected for its luck, too. "
            "Train it again with other seeds (--seed_everything) before you believe it."
        ),
    )
    for heading in ("run", sweep.metric, "floor", "population"):
        table.add_column(heading, justify="left" if heading == "run" else "right", no_wrap=True)
    table.add_column("drawn", overflow="fold")
    lines = []
    for folder, values in runs.items():
        path = folder / "metrics.csv"
        rows = [row for row in read_history(path).rows if sweep.metric in row.values] if path.is_file() else []
        last: Mapping[str, float] = rows[-1].values if rows else {}
        numbers = {name: f"{value:.4f}" for name, value in last.items()}
        low, high = last.get("w1/population_lower"), last.get("w1/population_upper")
        drawn = (f"{_short_key(key)}={f'{v:.3g}' if isinstance(v, float) else v}" for key, v in values.items())
        finished, sign = finished_step(folder) >= 0, 1 if sweep.minimize else -1
        cells = (
            folder.name if finished else f"{folder.name} (not finished)",
            numbers.get(sweep.metric, "-"),
            numbers.get("w1/noise_floor", "-"),
            "-" if low is None and high is None else f"{low or 0:.2f} - {'inf' if high is None else f'{high:.2f}'}",
            " ".join(drawn),
        )
        lines.append(((not finished, sign * last.get(sweep.metric, sign * math.inf)), cells))
    for _, cells in sorted(lines, key=lambda line: line[0]):
        table.add_row(*cells)
    return table


def _short_key(key: str) -> str:
    """A dotted key without the parts that almost all keys have."""
    return ".".join(part for part in key.split(".") if part not in ("init_args", "model", "data"))


def experiment(arguments: list[str]) -> tuple[str, Path]:
    """The experiment's name and where all runs live, as ``fit`` will take them from these arguments.

    Args:
        arguments: of ``fit``.
    """
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("-c", "--config", action="append", default=[], type=config_path)
    parser.add_argument("--name")
    parser.add_argument("--runs_dir")
    given, _ = parser.parse_known_args(arguments)
    merged = {"name": "run", "runs_dir": "runs"}
    for path in given.config:
        merged |= {
            key: value for key, value in yaml.safe_load(Path(path).read_text(encoding="utf-8")).items() if key in merged
        }
    return given.name or merged["name"], Path(given.runs_dir or merged["runs_dir"])


def train(arguments: list[str]) -> int:
    """Train one run, and forward signals to it; returns its exit status.

    Args:
        arguments: of ``fit``.
    """
    process = subprocess.Popen([sys.executable, "-m", "wgan_lip", "fit", *arguments])  # noqa: S603

    def forward(signum: int, _: FrameType | None) -> None:
        process.send_signal(signum)

    before = {signum: signal.signal(signum, forward) for signum in CAUGHT}
    try:
        return process.wait()
    except KeyboardInterrupt:
        # The terminal has interrupted the training as well, which ends by itself.
        return process.wait()
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)


def search(command: Sequence[str], runs: Mapping[Path, Mapping[str, Any]], further: Sequence[str]) -> int:
    """Train combinations one after another; returns the exit status: that of a run that was stopped, or 0.

    Args:
        command: arguments of ``fit`` before those that are drawn.
        runs: what was drawn, by the run's folder.
        further: arguments of ``fit`` for all runs.
    """
    for folder, values in runs.items():
        arguments = [*command, *as_arguments(values), f"--run={folder.name}", *further]
        print(f"{folder.name}: wgan-lip fit {shlex.join(arguments)}", flush=True)
        status = train(arguments)
        # A training that diverged does not end the search; one that could not begin has wrong arguments.
        diverged = status == 2 and (folder / "config.yaml").exists()
        if status != 0 and not diverged:
            return status if status > 0 else 128 - status
    return 0


def main(args: list[str] | None = None) -> int:
    """Run the search; returns the exit status.

    Args:
        args: the arguments; those of the process if None.
    """
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("sweep", type=Path, help="a sweep's file, such as configs/sweeps/digits_random.yaml")
    parser.add_argument("-n", type=int, default=20, help="how many combinations (default: 20)")
    parser.add_argument("--seed", type=int, default=0, help="of the draws (default: 0)")
    parser.add_argument("--write", type=Path, metavar="FILE", help="train nothing, write lines for wgan-lip submit")
    parser.add_argument("--table", action="store_true", help="train nothing, print the table of what there is")
    given, further = parser.parse_known_args(args)
    try:
        if given.n < 1:
            raise ValueError(f"-n must be at least 1; got {given.n}")
        sweep = load_sweep(given.sweep)
        drawn = sweep.draw(given.n, given.seed)
        name, runs_dir = experiment([*sweep.command, *further])
    except (ValueError, OSError) as error:
        parser.error(str(error))
    runs = {runs_dir / name / f"search-{given.seed}-{index:03d}": values for index, values in enumerate(drawn)}
    if given.write is not None:
        lines = [
            shlex.join([*as_arguments(values), f"--run={folder.name}", *further]) for folder, values in runs.items()
        ]
        replace_text(given.write, "\n".join(lines) + "\n")
        command = f"wgan-lip submit {shlex.join(sweep.command)} --array {given.write}"
        print(f"{given.write}: {len(lines)} runs, for {command}")
        return 0
    status = 0 if given.table else search(sweep.command, runs, further)
    Console().print(search_table(runs, sweep))
    return status


if __name__ == "__main__":
    sys.exit(main())

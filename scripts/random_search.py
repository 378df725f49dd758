"""A random search without W&B's server: python scripts/random_search.py configs/sweeps/digits_random.yaml -n 20

Draws n combinations from the parameters of a sweep's file, trains them one after another, and prints a table, the best
first. Further arguments are those of ``wgan-lip fit``, for all runs. The runs are named ``search-SEED-000`` and so on:
the same command run again goes on where it was stopped, and a greater -n adds further ones.

On a cluster ``--write FILE`` writes one line of arguments for each run instead, for ``wgan-lip submit --array FILE``,
and ``--table`` prints the table of what there is.
"""

import argparse
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from types import FrameType
from typing import Any

import yaml

from wgan_lip.cli.configs import config_path
from wgan_lip.console import Console
from wgan_lip.replaced import replace_text
from wgan_lip.report import read_found, search_table
from wgan_lip.runs.preemption import CAUGHT
from wgan_lip.runs.run_folder import finished_step
from wgan_lip.training.search_space import Sweep, as_arguments, load_sweep


def run_name(seed: int, index: int) -> str:
    """The name of a run of a search."""
    return f"search-{seed}-{index:03d}"


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
    """Train one run; signals to this process are handed on to it. Returns its exit status.

    Args:
        arguments: of ``fit``.
    """
    process = subprocess.Popen([sys.executable, "-m", "wgan_lip", "fit", *arguments])  # noqa: S603

    def hand_on(signum: int, _: FrameType | None) -> None:
        process.send_signal(signum)

    before = {signum: signal.signal(signum, hand_on) for signum in CAUGHT}
    try:
        return process.wait()
    except KeyboardInterrupt:
        # The terminal told the training, too, which has its own way to end.
        return process.wait()
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)


def search(sweep: Sweep, n: int, seed: int, further: list[str], runs: Path) -> int:
    """Train n combinations one after another; returns the exit status: that of a run that was stopped, or 0.

    Args:
        sweep: what is drawn.
        n: how many.
        seed: of the search.
        further: arguments of ``fit`` for all runs.
        runs: the folder of the experiment.
    """
    for index in range(n):
        arguments = [*sweep.command, *as_arguments(sweep.draw(seed, index)), f"--run={run_name(seed, index)}", *further]
        print(f"{run_name(seed, index)}: wgan-lip fit {shlex.join(arguments)}", flush=True)
        status = train(arguments)
        # Others need not care about a training that diverged; one that could not begin is about the arguments.
        diverged = status == 2 and (runs / run_name(seed, index) / "config.yaml").exists()
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
        drawn: list[dict[str, Any]] = [sweep.draw(given.seed, index) for index in range(given.n)]
        name, runs_dir = experiment([*sweep.command, *further])
    except (ValueError, OSError) as error:
        parser.error(str(error))
    if given.write is not None:
        lines = [
            shlex.join([*as_arguments(values), f"--run={run_name(given.seed, index)}", *further])
            for index, values in enumerate(drawn)
        ]
        replace_text(given.write, "\n".join(lines) + "\n")
        command = f"wgan-lip submit {shlex.join(sweep.command)} --array {given.write}"
        print(f"{given.write}: {len(lines)} runs, for {command}")
        return 0
    status = 0 if given.table else search(sweep, given.n, given.seed, further, runs_dir / name)
    found = []
    for index, values in enumerate(drawn):
        folder = runs_dir / name / run_name(given.seed, index)
        found.append(read_found(folder, values, sweep.metric, finished=finished_step(folder) >= 0))
    Console().print(search_table(found, sweep.metric, sweep.minimize))
    return status


if __name__ == "__main__":
    sys.exit(main())

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
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import yaml
from rich.table import Table
from scipy import stats
from sklearn.model_selection import ParameterSampler

from wgan_lip.cli.configs import config_path
from wgan_lip.console import Console
from wgan_lip.replaced import replace_text
from wgan_lip.report import read_history
from wgan_lip.runs.preemption import CAUGHT
from wgan_lip.runs.run_folder import finished_step
from wgan_lip.yaml_text import read_yaml

_ARGUMENTS = "${args}"


@dataclass(frozen=True)
class Choice:
    """The distribution of one of several values."""

    values: Sequence[Any]
    probabilities: Sequence[float] | None = None

    def rvs(self, random_state: np.random.RandomState) -> Any:
        """One of the values."""
        return self.values[random_state.choice(len(self.values), p=self.probabilities)]


@dataclass(frozen=True)
class Number:
    """A distribution of scipy's as Python's numbers, rounded to multiples of a step unless that is 0."""

    distribution: Any
    step: float = 0

    def rvs(self, random_state: np.random.RandomState) -> float:
        """A number."""
        value = self.distribution.rvs(random_state=random_state)
        if not self.step:
            return np.asarray(value).item()
        multiple = round(value / self.step) * self.step
        # A product of floats has spurious digits.
        return multiple if isinstance(multiple, int) else float(f"{multiple:.12g}")


@dataclass(frozen=True)
class Sweep:
    """A sweep of W&B's over arguments of ``wgan-lip fit``.

    Attributes:
        command: arguments of ``fit`` that all runs have.
        metric: of metrics.csv, by which runs are ranked.
        minimize: whether less of it is better.
        parameters: distributions by their dotted keys.
    """

    command: tuple[str, ...]
    metric: str
    minimize: bool
    parameters: Mapping[str, Choice | Number]

    def draw(self, n: int, seed: int) -> list[dict[str, Any]]:
        """Draw combinations: the first of them are the same for any n."""
        return list(ParameterSampler(self.parameters, n, random_state=seed))


def load_sweep(path: Path) -> Sweep:
    """Read a sweep's file, in the format of ``wandb sweep``.

    Args:
        path: of the file.

    Raises:
        ValueError: it is not of a sweep of ``wgan-lip fit``, or a parameter cannot be drawn.
        OSError: it cannot be read.
    """
    try:
        content = read_yaml(path.read_text(encoding="utf-8"), str(path))
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not text: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} must hold a mapping, as a sweep of W&B's does; got a {type(content).__name__}")
    metric, command, parameters = (content.get(key) for key in ("metric", "command", "parameters"))
    if not isinstance(metric, dict) or not metric.get("name") or metric.get("goal") not in ("minimize", "maximize"):
        raise ValueError(f"{path}: metric must have a name and a goal, minimize or maximize; got {metric}")
    words = [str(word) for word in command or []]
    program = next((i for i, pair in enumerate(pairwise(words)) if pair == ("wgan-lip", "fit")), -1)
    if _ARGUMENTS not in words or program < 0:
        raise ValueError(f"{path}: command must be [..., wgan-lip, fit, ..., ${{args}}]; got {words}")
    if not isinstance(parameters, dict) or not all(isinstance(how, dict) for how in parameters.values()):
        raise ValueError(f"{path}: parameters must be mappings by their dotted keys; got {parameters}")
    given = tuple(word for word in words[program + 2 :] if word != _ARGUMENTS)
    distributions = {key: distribution(key, how) for key, how in parameters.items()}
    return Sweep(given, str(metric["name"]), metric["goal"] == "minimize", distributions)


def distribution(key: str, how: Mapping[str, Any]) -> Choice | Number:
    """The distribution of a parameter.

    Args:
        key: of the parameter, for errors.
        how: as W&B describes it: ``value``, ``values`` or ``distribution`` with ``min``, ``max`` and ``q``.

    Raises:
        ValueError: it cannot be drawn.
    """
    if "value" in how or "values" in how:
        return Choice(how.get("values", [how.get("value")]), how.get("probabilities"))
    low, high = _number(key, how, "min"), _number(key, how, "max")
    whole = isinstance(low, int) and isinstance(high, int)
    name = how.get("distribution", "int_uniform" if whole else "uniform")
    known = ("uniform", "int_uniform", "log_uniform_values", "q_uniform", "q_log_uniform_values")
    if name not in known:
        raise ValueError(f"{key}: distribution must be one of {', '.join(known)}; got {name}")
    if not low < high:
        raise ValueError(f"{key}: min must be below max; got min={low}, max={high}")
    if "log" in name and low <= 0:
        raise ValueError(f"{key}: {name} needs min > 0; got min={low}")
    if name == "int_uniform":
        return Number(stats.randint(low, high + 1))
    drawn = stats.loguniform(low, high) if "log" in name else stats.uniform(low, high - low)
    return Number(drawn, _number(key, {"q": 1, **how}, "q") if name.startswith("q_") else 0)


def _number(key: str, how: Mapping[str, Any], name: str) -> float:
    value = how.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{key}: {name} must be a number; got {value!r} (YAML reads 1e-4 as text, 1.0e-4 as a number)")
    return value


def as_arguments(values: Mapping[str, Any]) -> list[str]:
    """A combination as arguments of ``fit``, as W&B's agent writes them.

    Args:
        values: by dotted key.
    """
    return [f"--{key}={value}" for key, value in values.items()]


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

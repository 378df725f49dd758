"""``wgan-lip compare``: critics × pairs × seeds, with a short training for each, here or as jobs of Slurm."""

import csv
import hashlib
import os
import secrets
import signal
from argparse import ArgumentTypeError
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal

import wandb
import yaml
from jsonargparse import ActionConfigFile  # type: ignore[attr-defined]
from pytorch_lightning.cli import LightningArgumentParser
from pytorch_lightning.loggers import WandbLogger
from pytorch_lightning.utilities.exceptions import SIGTERMException

from wgan_lip.cli.config import OneLineParser, add_wandb_arguments
from wgan_lip.cli.errors import in_one_line
from wgan_lip.cli.slurm_job import Resources, make_executor
from wgan_lip.comparison import (
    LARGEST_ARRAY,
    Failure,
    JobArray,
    Launcher,
    Outcome,
    Processes,
    Store,
    parse_cells,
    run_cells,
    summarize,
)
from wgan_lip.console import Console, progress_bar
from wgan_lip.replaced import own_folder, replace_text
from wgan_lip.report import comparison_figure, comparison_tables, save_figure, write_outcomes, write_summaries
from wgan_lip.runs import check_name, locked, wandb_logger

_DESCRIPTION = "Train critics on pairs with known W1, seed by seed, and set their estimates against the truth."
_EPILOG = "wgan-lip compare -c configs/compare/cones.yaml; run again, it goes on where it stopped."
# A cell is one process that saves nothing: all that is done in these seconds is to requeue its job.
_FIXED: dict[str, Any] = {"nodes": 1, "gpus": 0, "tasks_per_node": None, "signal_delay": 30}


def run_comparison(args: list[str]) -> None:
    """Run the command; exit status 1 if a cell failed, 128 and the signal's number if it was interrupted.

    Args:
        args: the arguments after the command's name.
    """
    parser = make_parser()
    options = parser.parse_args(args)
    # The lock of the comparison's folder; its cells, which jobs write, are kept whole without one.
    with ExitStack() as held:
        _run(options, parser.get_defaults(), held)


def _run(options: Any, defaults: Any, held: ExitStack) -> None:
    console = Console()
    with in_one_line():
        check_name(options.name)
        cells = parse_cells(
            options.critics,
            options.pairs,
            options.seeds,
            options.estimator,
            options.n,
            options.exact_n,
            dict(options.set),
        )
        folder = Path(options.folder or Path("runs") / "compare" / options.name)
        store = Store(own_folder(folder / "cells"))
        held.enter_context(locked(folder, os.environ))
        launcher = make_launcher(options, defaults, store, folder, console.print_plain)
    results: list[Outcome | Failure] = []
    stopped_by: signal.Signals | None = None
    with in_one_line():
        try:
            # On the console that the lines are printed on, above which it stays.
            with progress_bar(console) as bar:
                task = bar.add_task("cells", total=len(cells))
                for result in run_cells(cells, store, launcher):
                    results.append(result)
                    console.print_plain(_line(result, len(results), len(cells)))
                    if isinstance(result, Outcome) and not result.is_new:
                        # The time left is that of those which are run.
                        bar.update(task, total=len(cells) - len(results))
                    else:
                        bar.advance(task)
        except KeyboardInterrupt:
            stopped_by = signal.SIGINT
        except SIGTERMException:
            stopped_by = signal.SIGTERM
        if results:
            # In the order of the config, whichever ended first.
            place = {cell: i for i, cell in enumerate(cells)}
            results.sort(key=lambda result: place[result.cell])
            _write(results, folder, options, console)
    if stopped_by:
        left = len(cells) - len(results)
        console.print_plain(f"interrupted: {left} of {len(cells)} cells are left; {launcher.if_interrupted}")
        raise SystemExit(128 + stopped_by)
    if any(isinstance(result, Failure) for result in results):
        raise SystemExit(1)


def make_parser() -> OneLineParser:
    """Return the command's parser."""
    parser = OneLineParser(prog="wgan-lip compare", description=_DESCRIPTION, epilog=_EPILOG)
    parser.add_argument("-c", "--config", action=ActionConfigFile, help="A YAML file with any of the options below.")
    parser.add_argument("--name", type=str, required=True, help="Name of the comparison.")
    parser.add_argument(
        "--critics",
        type=mappings,
        required=True,
        help="By label: arguments of W1Estimator, such as critic; a list of such mappings makes all combinations.",
    )
    parser.add_argument("--pairs", type=mapping, required=True, help="By label: the pair's class and arguments.")
    parser.add_argument("--estimator", type=mapping, default={}, help="Arguments of W1Estimator for all.")
    parser.add_argument(
        "--set",
        type=assignment,
        nargs="*",
        default=[],
        metavar="KEY=VALUE",
        help="Further ones; they override all others.",
    )
    parser.add_argument("--seeds", type=list[int], default=[0], help="Repetitions.")
    parser.add_argument("--n", type=int, default=16_384, help="Held-out samples of each distribution.")
    parser.add_argument("--exact_n", type=int, default=1024, help="How many of them the exact W1 is of.")
    add_launcher_arguments(parser)
    parser.add_argument(
        "--folder", type=str | None, default=None, help="Where results go; by default, runs/compare/NAME."
    )
    add_wandb_arguments(parser)
    return parser


class WrongTextError(ArgumentTypeError, ValueError):
    """A wrong value: argparse, of the command line, and jsonargparse, of a config, print its message as it is."""


def mapping(value: Any) -> dict[str, Any]:
    """Return a mapping as it is written: its classes' arguments are checked later, cell by cell."""
    read = yaml.safe_load(value) if isinstance(value, str) else value
    if not isinstance(read, dict):
        raise WrongTextError(f"must be a mapping; got {value!r}")
    return read


def mappings(value: Any) -> dict[str, Any] | list[Any]:
    """Return a mapping, or a list whose items are checked later."""
    read = yaml.safe_load(value) if isinstance(value, str) else value
    return read if isinstance(read, list) else mapping(value)


def assignment(value: Any) -> tuple[str, Any]:
    """Return a key and its value."""
    if not isinstance(value, str):
        return value[0], value[1]
    key, equals, text = value.partition("=")
    if not equals:
        raise WrongTextError(f"must be KEY=VALUE; got {value!r}")
    return key, yaml.safe_load(text)


def _line(result: Outcome | Failure, done: int, total: int) -> str:
    if isinstance(result, Failure):
        said = f"failed: {result.error}"
    else:
        said = f"{result.estimate.describe()} ({result.seconds:.1f} s" + ("" if result.is_new else ", kept") + ")"
    return f"[{done}/{total}] {result.cell.label}: {said}"


def _write(results: list[Outcome | Failure], folder: Path, options: Any, console: Console) -> None:
    """Write and print the table, the figure and the files, and log them to Weights & Biases."""
    summaries = summarize(results)
    write_outcomes([result for result in results if isinstance(result, Outcome)], folder / "results.csv")
    write_summaries(summaries, folder / "summary.csv")
    save_figure(comparison_figure(summaries, options.name), folder / "comparison.png")
    failures = [f"{result.cell.label}\n{result.trace}" for result in results if isinstance(result, Failure)]
    if failures:
        # A trace may name files by bytes that are no text.
        replace_text(folder / "failures.txt", "\n".join(failures).encode(errors="backslashreplace").decode())
    logger = wandb_logger(
        folder, options.name, secrets.token_hex(4), step_name="cells", say=console.print_plain, **vars(options.wandb)
    )
    if logger is not None:
        _log(logger, folder)
    for table in comparison_tables(summaries, options.name):
        console.print(table)
    console.print_plain(
        "Written:", *(f"  {folder / name}" for name in ("comparison.png", "results.csv", "summary.csv"))
    )


def _log(logger: WandbLogger, folder: Path) -> None:
    content: dict[str, Any] = {"comparison": wandb.Image(str(folder / "comparison.png"))}
    for name in ("results", "summary"):
        with (folder / f"{name}.csv").open(newline="", encoding="utf-8") as file:
            columns, *rows = csv.reader(file)
        content[name] = wandb.Table(columns=list(columns), data=rows)
    logger.experiment.log(content)
    wandb.finish()


def add_launcher_arguments(parser: LightningArgumentParser) -> None:
    """Add ``--launcher``, ``--jobs`` and ``--slurm.*``.

    Args:
        parser: of the command.
    """
    add = parser.add_argument
    add(
        "--launcher",
        type=Literal["processes", "slurm"],
        default="processes",
        help="Cells in processes of this machine, or each as a job of Slurm, which goes on without this process.",
    )
    add("--jobs", type=int | None, default=None, help="Processes; as many as there are cores.")
    parser.add_class_arguments(Resources, "slurm", skip=set(_FIXED))
    add("--slurm.max_parallel", type=int, default=LARGEST_ARRAY, help="Jobs at once, of each 1,000 cells.")
    retries = "How often a cell is run again whose job is lost (killed for its memory, cancelled) or runs out of time."
    add("--slurm.retries", type=int, default=2, help=retries)
    add("--slurm.grace", type=float, default=30.0, help="Seconds until files that other nodes write are seen here.")


def make_launcher(options: Any, defaults: Any, store: Store, folder: Path, report: Callable[[str], None]) -> Launcher:
    """Return the launcher that the options select.

    Args:
        options: with what ``add_launcher_arguments`` has added.
        defaults: of these options.
        store: of the finished cells.
        folder: of the comparison.
        report: called with a line about jobs.

    Raises:
        ValueError: an option of the other launcher, one out of range, or submitit or Slurm is not installed.
    """
    slurm = dict(vars(options.slurm))
    if options.launcher == "processes":
        for name, value in slurm.items():
            if value != defaults.slurm[name]:
                raise ValueError(f"slurm.{name} requires --launcher slurm; got slurm.{name}={value}")
        return Processes((os.cpu_count() or 1) if options.jobs is None else options.jobs)
    if options.jobs is not None:
        raise ValueError(f"jobs requires --launcher processes; got jobs={options.jobs}: see --slurm.max_parallel")
    retries, grace, parallel = slurm.pop("retries"), slurm.pop("grace"), slurm.pop("max_parallel")
    if parallel < 1:
        raise ValueError(f"slurm.max_parallel must be at least 1; got slurm.max_parallel={parallel}")
    # The folder distinguishes comparisons of one name.
    place = hashlib.blake2b(str(folder.resolve()).encode(), digest_size=4).hexdigest()
    name = f"wgan-lip-compare-{options.name}-{place}"
    parameters = Resources(**slurm, **_FIXED).parameters(name, parallel)
    executor = make_executor("launcher slurm", parameters, folder / "slurm", retries)
    return JobArray(store, executor, report, retries, grace)

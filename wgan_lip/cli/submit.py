"""``wgan-lip submit``: ``wgan-lip fit`` as a job of Slurm, or as an array of jobs."""

import secrets
import shlex
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

from wgan_lip.cli.command_parser import CommandParser, whole
from wgan_lip.cli.errors import in_one_line, interrupted
from wgan_lip.cli.slurm_job import FitJob, Resources, check_submitit, make_executor, minutes, sbatch_script
from wgan_lip.console import Console, progress_bar
from wgan_lip.replaced import replace_text

if TYPE_CHECKING:
    from wgan_lip.cli.training.training_parser import FitArguments
    from wgan_lip.comparison import JobState

_DESCRIPTION = "Train as a job of Slurm, or as an array of jobs."
_EPILOG = """\
All other arguments are those of wgan-lip fit. Each job is given its own --run, so that Slurm may requeue it. The config
is copied now; changes of its files while the job waits have no effect.

examples:
  wgan-lip submit -c configs/gan/fashion_mnist_gpu.yaml --gpus 4 --cpus 8 --time 4:00:00 --partition gpu
  wgan-lip submit -c configs/gan/digits.yaml --nodes 2 --time 30 --dry-run
  wgan-lip submit -c configs/gan/digits.yaml --array seeds.txt --max-parallel 8 --time 30
"""
# How often a job may run out of time: what ends a training is its number of steps.
_MAX_TIMEOUTS = 1_000_000


@dataclass(frozen=True)
class _Planned:
    """A job: the name of its config's copy, its parsed arguments, and what is run."""

    label: str
    fit: "FitArguments"
    job: FitJob


def run_submission(words: Sequence[str]) -> None:
    """Run the command; exit status 1 if a job that was waited for failed.

    Args:
        words: its arguments.
    """
    options, fit_words = make_parser().parse_known_args(words)
    console = Console()
    with in_one_line():
        check_submitit("submit")
        resources = Resources(**{field.name: getattr(options, field.name) for field in fields(Resources)})
        stamp = f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}"
        planned = _plan(fit_words, options.array, resources, stamp, options.logs)
        fit = planned[0].fit
        parameters = resources.parameters(f"wgan-lip-{fit.name}", options.max_parallel or len(planned))
        logs = _logs(options.logs, fit, stamp)
        if options.dry_run:
            console.print_plain(sbatch_script(parameters, logs, len(planned)))
            for one in planned:
                console.print_plain(f"# {one.job.command}")
            return
        executor = make_executor("submit without --dry-run", parameters, logs, _MAX_TIMEOUTS)
        logs.mkdir(parents=True, exist_ok=True)
        for one in planned:
            replace_text(logs / f"{one.label}.yaml", one.fit.config)
        try:
            jobs = [job.job_id for job in executor.submit_array([one.job for one in planned])]
        except RuntimeError as error:
            # submitit's, with what sbatch printed.
            raise OSError(f"Slurm took no jobs: {error}") from error
        for job, one in zip(jobs, planned, strict=True):
            console.print_plain(f"Job {job}: {one.job.command}")
        console.print_plain(f"Logs: {logs}")
        console.print_plain(f"State: squeue --jobs={','.join(sorted({job.partition('_')[0] for job in jobs}))}")
        console.print_plain(f"Watch: tail -F {shlex.quote(str(logs / f'{jobs[0]}_0_log.out'))}")
        if options.wait:
            _wait(jobs, console)


def make_parser() -> CommandParser:
    """Return the command's parser, which leaves arguments of fit to fit."""
    parser = CommandParser("wgan-lip submit", _DESCRIPTION, _EPILOG)
    add = parser.add_argument
    add("--nodes", type=int, default=1, metavar="N", help="nodes of each job (default: 1)")
    add("--gpus", type=int, default=0, metavar="N", help="of each node; each has a process of its own (default: 0)")
    add("--tasks-per-node", type=int, metavar="N", help="processes on each node without GPUs (default: 1)")
    add("--cpus", type=int, default=1, metavar="N", help="cores for each process (default: 1)")
    add("--mem", help="memory of each node, such as 16G (default: the cluster's)")
    add(
        "--time",
        type=minutes,
        required=True,
        help="minutes, or HOURS:MINUTES:SECONDS; a longer training goes on in another job",
    )
    add("--partition", metavar="NAME", help="where to run (default: the cluster's)")
    add("--account", metavar="NAME", help="account that is charged (default: the user's)")
    add("--constraint", metavar="FEATURES", help="that the nodes must have")
    add(
        "--signal-delay",
        type=int,
        default=120,
        metavar="SECONDS",
        help="before the end at which a checkpoint is saved (default: 120)",
    )
    add("--array", type=Path, metavar="FILE", help="a job for each line, which holds further arguments of fit")
    add("--max-parallel", type=whole(1), metavar="N", help="so many jobs of an array at once (default: all)")
    add("--logs", type=Path, metavar="FOLDER", help="which all nodes see (default: RUNS_DIR/submitted/TIME)")
    add(
        "--setup",
        action="extend",
        type=str.splitlines,
        default=[],
        metavar="LINES",
        help="shell before the start: 'module load cuda'",
    )
    add("--dry-run", action="store_true", help="print what would be submitted")
    add("--wait", action="store_true", help="wait until the jobs have ended; exit status 1 if one failed")
    return parser


def _plan(
    words: Sequence[str], array: Path | None, resources: Resources, stamp: str, logs: Path | None
) -> list[_Planned]:
    # Before Lightning is loaded, which takes seconds.
    _check_no_devices(words, "")
    lines = [("", "", [])] if array is None else _lines(array)
    for _, where, more in lines:
        _check_no_devices(more, where)
    from wgan_lip.cli.training.training_parser import FitReader

    reader = FitReader()
    planned = []
    for suffix, where, more in lines:
        try:
            fit = reader.read([*words, *more])
            _check_device(fit.accelerator, resources.gpus)
        except ValueError as error:
            raise ValueError(f"{where}{error}") from error
        label = f"{stamp}{suffix}"
        arguments = [
            *("--config", str(_logs(logs, fit, stamp) / f"{label}.yaml")),
            f"--trainer.num_nodes={resources.nodes}",
            f"--trainer.devices={resources.devices}",
            f"--run={fit.run or label}" if fit.ckpt_path is None else f"--ckpt_path={fit.ckpt_path}",
        ]
        planned.append(_Planned(label, fit, FitJob(tuple(arguments))))
    _check_different(planned)
    return planned


def _lines(array: Path) -> list[tuple[str, str, list[str]]]:
    """Return for each job the suffix of its name, the line that it comes from, and its arguments."""
    lines = []
    for number, line in enumerate(array.read_text(encoding="utf-8").splitlines(), 1):
        try:
            words = shlex.split(line, comments=True)
        except ValueError as error:
            raise ValueError(f"{array}, line {number}: {error}") from error
        if words:
            lines.append((f"-{number}", f"{array}, line {number}: ", words))
    if not lines:
        raise ValueError(f"--array {array} must have a line with arguments; it has none")
    return lines


def _check_no_devices(words: Sequence[str], where: str) -> None:
    for word in words:
        if word.split("=")[0] in ("--trainer.devices", "--trainer.num_nodes"):
            raise ValueError(
                f"{where}{word.split('=')[0]} follows from --nodes, --gpus and --tasks-per-node: leave it out"
            )


def _check_device(accelerator: str, gpus: int) -> None:
    if gpus and accelerator == "cpu":
        raise ValueError(f"--gpus is {gpus}, but trainer.accelerator is cpu: pass --trainer.accelerator=gpu")
    if not gpus and accelerator in ("gpu", "cuda"):
        raise ValueError(f"trainer.accelerator is {accelerator}, but --gpus is 0: pass --gpus N")


def _check_different(planned: Sequence[_Planned]) -> None:
    folders = Counter(
        (one.fit.runs_dir, one.fit.name, one.fit.run) if one.fit.ckpt_path is None else one.fit.ckpt_path
        for one in planned
        if one.fit.run is not None or one.fit.ckpt_path is not None
    )
    for folder, times in folders.items():
        if times > 1:
            which = f"--ckpt_path {folder}" if isinstance(folder, Path) else f"--run {folder[2]}"
            raise ValueError(f"{times} jobs of the array would write to the same run: each needs its own; got {which}")


def _logs(given: Path | None, fit: "FitArguments", stamp: str) -> Path:
    return (given or Path(fit.runs_dir) / "submitted" / stamp).absolute()


def _wait(jobs: Sequence[str], console: Console) -> None:
    from wgan_lip.comparison import wait_for_jobs

    try:
        with progress_bar(console) as bar:
            task = bar.add_task("jobs", total=len(jobs))

            def changed(job: str, state: "JobState") -> None:
                console.print_plain(f"Job {job}: {state}")
                bar.advance(task, state.has_ended)

            all_completed = wait_for_jobs(jobs, changed)
    except KeyboardInterrupt:
        interrupted(f"the jobs go on; scancel {' '.join(jobs)} ends them")
    if not all_completed:
        raise SystemExit(1)

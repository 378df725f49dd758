"""``wgan-lip fit | validate | test``: a config trained in its run's folder, or a checkpoint evaluated."""

import logging
import os
import signal
import sys
import time
import warnings
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import wandb
from jsonargparse import Namespace
from lightning_fabric.strategies.launchers import subprocess_script
from lightning_fabric.utilities.exceptions import MisconfigurationException
from lightning_fabric.utilities.seed import seed_everything
from pytorch_lightning import Trainer
from pytorch_lightning.utilities import rank_zero_only
from pytorch_lightning.utilities.exceptions import SIGTERMException

from wgan_lip.cli.config import OneLineParser
from wgan_lip.cli.errors import in_one_line
from wgan_lip.cli.run_end import (
    finish_wandb,
    remove_failed_start,
    report_run,
    requeue_with_checkpoint,
    requeue_without_checkpoint,
)
from wgan_lip.cli.training.saved_config import SaveConfig, changed_keys, config_text
from wgan_lip.cli.training.trainer import ResumeGuard, Training, build, make_loggers, make_trainer
from wgan_lip.cli.training.training_parser import training_parser
from wgan_lip.console import Console
from wgan_lip.runs import (
    PreemptedError,
    Start,
    check_checkpoint,
    check_not_locked,
    find_evaluated,
    find_start,
    finished_step,
    ignore_ended_wandb,
    is_checkpoint_of,
    is_rank_0,
    mark_finished,
    opened_run,
)
from wgan_lip.saved import is_count
from wgan_lip.training import EvaluateEverySteps, LostRankError, OtherRankError, lost_ranks_named
from wgan_lip.transport import UnprovenError

# ``os.EX_TEMPFAIL``, which Windows lacks.
_TEMPFAIL = 75


def run_training(words: list[str]) -> None:
    """Run a training command.

    Args:
        words: its name and its arguments.
    """
    command, *arguments = words
    _quiet_lightning()
    # The lock of the run's folder is held until W&B has written there, too.
    with ExitStack() as held:
        try:
            with in_one_line(ImportError, MisconfigurationException, UnprovenError, LostRankError, OtherRankError):
                parser = training_parser(command)
                config = parser.parse_args(arguments)
                if command == "fit":
                    _fit(parser, config, held)
                else:
                    _evaluate(command, parser, config)
        finally:
            finish_wandb(exit_code=int(sys.exc_info()[0] is not None))


def _evaluate(command: str, parser: OneLineParser, config: Namespace) -> None:
    console = _console()
    path = find_evaluated(config.run, config.ckpt_path, config.runs_dir, config.name)
    if path is not None:
        _read_checkpoint(path, console)
    config.ckpt_path = None if path is None else str(path)
    seed_everything(config.seed_everything, workers=True)
    training = build(parser, config)
    guard = ResumeGuard(path)
    trainer = make_trainer(training, guard, SaveConfig(parser, config))
    if path is None:
        console.print("No --ckpt_path: these are the figures of random initial weights.")
    with guard.checkpoint_named():
        getattr(trainer, command)(
            training.model,
            datamodule=training.data,
            ckpt_path=config.ckpt_path,
            verbose=config.verbose,
            weights_only=True,
        )
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        if isinstance(callback, EvaluateEverySteps) and callback.last is not None:
            console.print(callback.last.describe(), highlight=False)


def _fit(parser: OneLineParser, config: Namespace, held: ExitStack) -> None:
    console, rank_0 = _console(), _is_rank_0()
    start = find_start(
        os.environ,
        run=config.run,
        ckpt_path=config.ckpt_path,
        runs_dir=config.runs_dir,
        name=config.name,
        nodes=config.trainer.num_nodes,
        rank_0=rank_0,
    )
    rows = 0
    if start.checkpoint is not None:
        kept = _read_checkpoint(start.checkpoint, console)
        rows = kept.get("metrics_rows") or 0
        if start.folder is not None and config.ckpt_path is None:
            _compare_configs(start.checkpoint, kept.get("config"), parser, config, console)
    config.ckpt_path = None if start.checkpoint is None else str(start.checkpoint)
    seed_everything(config.seed_everything, workers=True)
    training = build(parser, config)
    if rank_0:
        folder, made = held.enter_context(opened_run(start, os.environ, config.runs_dir, config.name))
    elif start.folder is None:
        raise ValueError("this process is not rank 0, but no other process holds the lock of a run's folder")
    else:
        folder, made = start.folder, False
        check_not_locked(folder, os.environ)
    guard = ResumeGuard(start.checkpoint)
    resumed_rows = rows if is_checkpoint_of(folder, start.checkpoint) else None
    trainer = make_trainer(
        training,
        guard,
        SaveConfig(parser, config),
        folder,
        lambda: make_loggers(training, folder, resumed_rows, console.print_plain),
    )
    # Callbacks evaluate at the module's own steps; Lightning's validation loop is not used.
    trainer.limit_val_batches = 0
    if start.checkpoint is not None and finished_step(folder) >= training.model.total_steps:
        # A job may be requeued after its end.
        console.print_plain(f"{folder} is finished: nothing is left to do.")
        return
    run = _Run(training, trainer, start, folder, console, rank_0)
    with remove_failed_start(folder, made):
        run.train(guard)
    run.report()
    if training.model.step < training.model.total_steps:
        console.print_plain(run.ended_early())
    elif rank_0:
        mark_finished(folder, training.model.step)


class _Run:
    """A run that is being trained.

    Args:
        training: the built config.
        trainer: Lightning's.
        start: where it is kept, and from which checkpoint it resumes.
        folder: of the run.
        console: for lines about it.
        rank_0: whether this process is rank 0.
    """

    def __init__(
        self, training: Training, trainer: Trainer, start: Start, folder: Path, console: Console, rank_0: bool
    ) -> None:
        self._training = training
        self._model = training.model
        self._trainer = trainer
        self._start = start
        self._folder = folder
        self._console = console
        self._rank_0 = rank_0
        self._begun = time.perf_counter()

    def train(self, guard: ResumeGuard) -> None:
        """Train; an interrupted training reports what there is, and exits with the status of the interruption."""
        try:
            with lost_ranks_named(), guard.checkpoint_named():
                self._trainer.fit(
                    self._model,
                    datamodule=self._training.data,
                    ckpt_path=None if self._start.checkpoint is None else str(self._start.checkpoint),
                    weights_only=True,
                )
        except PreemptedError as preempted:
            try:
                self.report()
            finally:
                status = self._end_preempted(preempted)
            raise SystemExit(status) from None
        except SIGTERMException:
            # It came before the first step.
            try:
                self.report()
            finally:
                if self._rank_0 and self._start.repeatable:
                    for line in requeue_without_checkpoint():
                        self._console.print_plain(line)
            raise SystemExit(128 + signal.SIGTERM) from None
        except SystemExit:
            self.report()
            raise SystemExit(128 + signal.SIGINT) from None

    def report(self) -> None:
        """Print and draw what was evaluated; nothing without metrics.csv, as in fast_dev_run."""
        if self._rank_0 and (self._folder / "metrics.csv").is_file():
            settings, loggers, share = self._training.settings, self._trainer.loggers, self._share_of_evaluations()
            report_run(self._folder, settings.name, self._model, loggers, settings.wandb.artifacts, self._console)
            self._console.print_plain(share)

    def _share_of_evaluations(self) -> str:
        evaluating = sum(one.seconds for one in self._training.callbacks if isinstance(one, EvaluateEverySteps))
        whole = time.perf_counter() - self._begun
        return f"Evaluations took {evaluating:.1f} s, {evaluating / whole:.0%} of the {whole:.1f} s of this training."

    def ended_early(self) -> str:
        """Return the line for a training that ended before its last step."""
        batches = getattr(self._trainer, "fast_dev_run", False)
        if batches:
            return f"trainer.fast_dev_run: tried {int(batches)} of its batches, and kept nothing."
        ended = (
            f"Ended at {self._model.step_name.replace('_', ' ')} {self._model.step} of {self._model.total_steps}, as a "
            "callback, max_time or max_steps asked"
        )
        has_checkpoint = (self._folder / "checkpoints" / "last.ckpt").is_file()
        return f"{ended}: go on with --ckpt_path {self._folder}" if has_checkpoint else f"{ended}: nothing was trained."

    def _end_preempted(self, preempted: PreemptedError) -> int:
        """Requeue the job if the signal asks for it, and say how the training continues; returns the exit status."""
        if not self._rank_0:
            # Launchers end all processes when one fails, and rank 0 has not finished yet.
            return 0
        step = f"{self._model.step_name.replace('_', ' ')} {self._model.step}"
        if preempted.requeue and wandb.run is not None:
            with ignore_ended_wandb():
                wandb.run.mark_preempting()
        finish_wandb(exit_code=1)
        # Line by line: nothing can be printed after the job is requeued, which ends this process.
        for line in requeue_with_checkpoint(preempted, step, self._folder, self._start.repeatable):
            self._console.print_plain(line)
        return _TEMPFAIL if preempted.requeue else 128 + preempted.signum


def _read_checkpoint(path: Path, console: Console) -> dict[str, Any]:
    """Read what the package keeps in a checkpoint, and print the step at which it was saved."""
    kept = check_checkpoint(path)
    name = kept.get("step_name", "")
    if not is_count(kept.get(name)):
        raise ValueError(f"{path} is damaged: it does not contain the step at which it was saved")
    console.print(f"From {path}, {name.replace('_', ' ')} {kept.get(name)}", soft_wrap=True, markup=False)
    return kept


def _compare_configs(path: Path, before: Any, parser: OneLineParser, config: Namespace, console: Console) -> None:
    """Print in which keys a resumed run's config changed; without ``--run`` it must not change."""
    changed = changed_keys(before, config_text(parser, config)) if isinstance(before, str) else []
    if changed and config.run is None:
        raise ValueError(
            f"{path} is of a run with another config ({', '.join(changed)}): give each run of this job its own name "
            "by --run NAME"
        )
    if changed:
        console.print_plain(f"Changed since then: {', '.join(changed)}")


def _is_rank_0() -> bool:
    return is_rank_0(os.environ, rank_zero_only.rank)  # type: ignore[attr-defined]


def _console() -> Console:
    """A console on which only rank 0 prints."""
    return Console(quiet=not _is_rank_0())


def _quiet_lightning() -> None:
    """Silence messages of Lightning about what the config says, and warnings about what is intended."""
    for name in ("pytorch_lightning", "lightning_fabric", "lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # A profile is printed if the config asks for one.
    logging.getLogger("pytorch_lightning.profilers").setLevel(logging.INFO)
    # Only the launcher says why all processes end if one is killed.
    logging.getLogger(subprocess_script.__name__).setLevel(logging.INFO)
    # Data in memory need no workers, and Lightning uses a deprecated name of PyTorch.
    warnings.filterwarnings("ignore", ".*does not have many workers.*")
    warnings.filterwarnings("ignore", ".*LeafSpec.*is deprecated.*")
    # A checkpoint holds the state after a step on purpose.
    warnings.filterwarnings("ignore", "Using ModelCheckpoint with manual optimization")
    # Slurm may be installed where a training is no job.
    warnings.filterwarnings("ignore", "The `srun` command is available")

"""``wgan-lip fit | validate | test``: Lightning's command line, with run folders and reports."""

import os
import signal
import sys
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, cast

import wandb
from jsonargparse.typing import NonNegativeInt
from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.callbacks import ProgressBar
from pytorch_lightning.cli import LightningArgumentParser, LightningCLI
from pytorch_lightning.loggers import Logger
from pytorch_lightning.utilities import rank_zero_only
from pytorch_lightning.utilities.exceptions import SIGTERMException

from wgan_lip.cli.cluster import requeue_with_checkpoint, requeue_without_checkpoint, with_slurm
from wgan_lip.cli.commands import COMMANDS, DESCRIPTION
from wgan_lip.cli.config import OneLineParser, SaveConfig, changed_keys, config_text
from wgan_lip.cli.errors import in_one_line
from wgan_lip.cli.fit_arguments import add_fit_arguments
from wgan_lip.cli.going_on import GoingOn
from wgan_lip.cli.quiet import hush_logs, hush_warnings
from wgan_lip.cli.run_end import finish_wandb, remove_failed_start, report_run
from wgan_lip.cli.trainer_settings import check_trainer_settings
from wgan_lip.console import Console
from wgan_lip.kinds import COMMON, KINDS, Kind, check_fits, in_order, kind_of
from wgan_lip.runs import MetricsCSV, StepProgress, wandb_logger
from wgan_lip.runs.launched import HANDED_START, Start, hand_start, handed_start, is_first
from wgan_lip.runs.loggers import wandb_may_end
from wgan_lip.runs.preemption import NoteSignals, PreemptedError, Preemption
from wgan_lip.runs.read_checkpoint import check_checkpoint
from wgan_lip.runs.run_folder import (
    check_own,
    find_evaluated,
    find_start,
    finished_step,
    found_in,
    is_own,
    mark_finished,
    named_run_folder,
    new_run_folder,
    remove_abandoned_of,
)
from wgan_lip.runs.run_lock import check_not_locked, locked
from wgan_lip.saved import is_count
from wgan_lip.training import (
    EvaluateEverySteps,
    LastStep,
    LostRankError,
    MonitorEvaluations,
    OtherRankError,
    SteppedModule,
    check_strategy,
    lost_ranks_named,
)
from wgan_lip.transport import UnprovenError

_DESCRIPTIONS = {
    name: f"{command.line[0].upper()}{command.line[1:]}." for name, command in COMMANDS.items() if command.is_lightning
}
# ``os.EX_TEMPFAIL``, which Windows does not name.
_TEMPFAIL = 75


def run_training(words: list[str]) -> None:
    """Run a training command.

    Args:
        words: its name and its arguments.
    """
    hush_logs()
    try:
        # The lock of the run's folder is held until W&B has written there, too.
        with ExitStack() as held:
            try:
                with in_one_line(ImportError, MisconfigurationException, UnprovenError, LostRankError, OtherRankError):
                    WganLipCLI(args=words, held=held)
            finally:
                finish_wandb(exit_code=int(sys.exc_info()[0] is not None))
    finally:
        os.environ.pop(HANDED_START, None)


class WganLipCLI(LightningCLI):
    """LightningCLI with run folders, evaluations that follow from the model's kind, and the report at the end.

    Args:
        args: the command's name and its arguments.
        held: what ``fit`` holds as long as it writes: the lock of the run's folder.
    """

    def __init__(self, args: list[str], held: ExitStack | None = None) -> None:
        self._held = held or ExitStack()
        # Of all processes of a run only the first speaks, and makes folders.
        self._first = is_first(os.environ, rank_zero_only.rank)  # type: ignore[attr-defined]
        self.console = Console(quiet=not self._first)
        self._start = Start(None, None, again=False)
        self._found: tuple[int, ...] = ()
        self._made_folder = False
        self._resumed_rows = 0
        self._going_on = GoingOn(None)
        super().__init__(
            model_class=LightningModule,
            subclass_mode_model=True,
            subclass_mode_data=True,
            save_config_callback=SaveConfig,
            trainer_defaults={
                "max_epochs": -1,
                "num_sanity_val_steps": 0,
                "logger": True,
                "log_every_n_steps": 1,
                # The data modules share out their batches themselves.
                "use_distributed_sampler": False,
            },
            parser_class=OneLineParser,
            parser_kwargs={
                "description": DESCRIPTION,
                **{name: {"description": line} for name, line in _DESCRIPTIONS.items()},
            },
            auto_configure_optimizers=False,
            load_from_checkpoint_support=False,
            args=args,
        )

    @staticmethod
    def subcommands() -> dict[str, set[str]]:
        data = {"model", "train_dataloaders", "val_dataloaders", "dataloaders", "datamodule", "weights_only"}
        return dict.fromkeys(_DESCRIPTIONS, data)

    def add_default_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        parser.add_argument(
            "--seed_everything",
            type=NonNegativeInt,
            default=0,
            help="Seed of the weights, the noise and the order of the data: the same seed gives the same run.",
        )

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        add_fit_arguments(parser)

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        # Not as LightningCLI does it, which warns of arguments that are not the process's.
        self.config = parser.parse_args(args)
        config = self.config[self.config.subcommand]
        if self.config.subcommand == "fit":
            self._start = find_start(
                os.environ,
                run=config.run,
                ckpt_path=config.ckpt_path,
                runs_dir=config.runs_dir,
                name=config.name,
                nodes=config.trainer.num_nodes,
                first=self._first,
            )
            path = self._start.checkpoint
            self._found = found_in(self._start.folder)
        else:
            path = find_evaluated(config.run, config.ckpt_path, config.runs_dir, config.name)
        if path is not None:
            kept = check_checkpoint(path)
            self._resumed_rows = kept.get("metrics_rows") or 0
            name = kept.get("step_name", "")
            if not is_count(kept.get(name)):
                raise ValueError(f"{path} is damaged: it does not say at which step it was saved")
            self.console.print(f"From {path}, {name.replace('_', ' ')} {kept.get(name)}", soft_wrap=True, markup=False)
            if self._start.folder is not None and config.ckpt_path is None:
                self._compare_configs(path, kept.get("config"), config)
        self._going_on = GoingOn(path)
        config.ckpt_path = None if path is None else str(path)

    def _compare_configs(self, path: Path, before: Any, config: Any) -> None:
        """A run that goes on by itself goes on with its own config; who gave it a name may change it knowingly."""
        changed = changed_keys(before, config_text(self._parser("fit"), config)) if isinstance(before, str) else []
        if changed and config.run is None:
            raise ValueError(
                f"{path} is of a run with another config ({', '.join(changed)}): "
                "tell runs of one job from each other by --run NAME"
            )
        if changed:
            self.console.print(
                f"Changed since then: {', '.join(changed)}", soft_wrap=True, highlight=False, markup=False
            )

    def before_instantiate_classes(self) -> None:
        hush_warnings()

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        config = self._get(self.config_init, "trainer")
        check_strategy(config["strategy"])
        signals, own, added = NoteSignals(), self._callbacks(), _listed(config["callbacks"])
        check_trainer_settings(config, self.model, added)
        shown = config["enable_progress_bar"] is not False and not any(isinstance(one, ProgressBar) for one in added)
        # Lightning would count the steps of all optimisers together.
        limit, kwargs["max_steps"] = config["max_steps"], -1
        ends = [] if limit == -1 else [LastStep(limit)]
        more = [*ends, *([StepProgress()] if shown else []), MonitorEvaluations(added), Preemption(signals)]
        kwargs["callbacks"] = [*in_order([signals, *added, *own, *more]), self._going_on]
        kwargs["enable_model_summary"] = config["enable_model_summary"] is True
        kwargs["logger"] = False
        folder = self._run_folder() if self.subcommand == "fit" else None
        try:
            kwargs["plugins"] = with_slurm(_listed(config["plugins"]), config["strategy"])
            if folder is not None:
                kwargs["default_root_dir"] = str(folder)
                kwargs["logger"] = self._loggers(folder, config["logger"])
            return super().instantiate_trainer(**kwargs)
        except (ValueError, TypeError, ImportError, RuntimeError, MisconfigurationException) as error:
            self._held.close()
            if folder is not None and self._made_folder and not any(folder.iterdir()):
                folder.rmdir()
            raise ValueError(f"trainer: {error}") from error

    @property
    def _kind(self) -> Kind:
        return kind_of(self.model)

    def _callbacks(self) -> list[Callback]:
        """Those of the model's kind; settings of another kind's are a mistake."""
        names = [key for kind in KINDS for key in kind.callbacks]
        defaults = self._parser(self.subcommand).get_defaults()
        changed = [key for key in names if self._get(self.config, key) != defaults[key]]
        check_fits(self.model, self.datamodule is not None, changed)
        return [self._get(self.config_init, key) for key in (*self._kind.callbacks, *COMMON)]

    def _run_folder(self) -> Path:
        """The run's folder; the first process makes it, and tells those that Lightning will start."""
        config = self.config["fit"]
        folder = self._start.folder
        if self._first and folder is None:
            folder = new_run_folder(config.runs_dir, config.name)
            self._made_folder = True
        elif self._first and folder is not None:
            self._made_folder = named_run_folder(folder)
        if folder is None:
            raise ValueError("a process that is not the first was not told where its run is kept")
        if self._first:
            self._held.enter_context(locked(folder, os.environ))
            if self._start.folder is not None and found_in(folder) != self._found:
                raise ValueError(f"another process wrote to {folder} while this one started: run the command again")
            check_own(folder)
            remove_abandoned_of(folder)
            hand_start(self._start, folder)
        elif handed_start(os.environ) is None:
            check_not_locked(folder, os.environ)
        return folder

    def _loggers(self, folder: Path, chosen: Any) -> list[Logger]:
        """metrics.csv always; W&B unless the config chooses another logger, or none."""
        # What lies beside a checkpoint of elsewhere is not in this folder.
        goes_on = is_own(self._start.checkpoint, folder)
        rows = self._resumed_rows if goes_on else 0
        metrics = MetricsCSV(folder / "metrics.csv", resume=goes_on)
        metrics.check_rows(rows)
        loggers: list[Logger] = [metrics]
        if chosen is True:
            name = f"{self._get(self.config_init, 'name')}-{folder.name}"
            init = {k: v for k, v in self._get(self.config_init, "wandb").items() if k != "artifacts"}
            step_name = cast(SteppedModule, self.model).step_name
            own = wandb_logger(folder, name, name, step_name=step_name, resumed_rows=rows, say=self._say_line, **init)
            return loggers + _listed(own)
        return loggers + _listed(chosen or None)

    def before_fit(self) -> None:
        # Evaluations are by the module's own steps; Lightning's validation loop has nothing to add.
        self.trainer.limit_val_batches = 0

    def fit(self, **kwargs: Any) -> None:
        """Train; whoever interrupts gets the report of what there is, and the exit status of an interruption."""
        folder = Path(self.trainer.default_root_dir)
        module = cast(SteppedModule, self.model)
        if self._start.checkpoint is not None and finished_step(folder) >= module.total_steps:
            # A job may be requeued after its end.
            self.console.print(
                f"{folder} is finished: nothing is left to do.", soft_wrap=True, highlight=False, markup=False
            )
            return
        with remove_failed_start(folder, self._made_folder):
            self._train(folder, **kwargs)
        self._report(folder)
        if self._first and module.step >= module.total_steps:
            mark_finished(folder, module.step)
        elif module.step < module.total_steps:
            self._say([self._ended_early(folder, module)])

    def _ended_early(self, folder: Path, module: SteppedModule) -> str:
        batches = getattr(self.trainer, "fast_dev_run", False)
        if batches:
            return f"trainer.fast_dev_run: tried {int(batches)} of its batches, and kept nothing."
        name = module.step_name.replace("_", " ")
        ended = f"Ended at {name} {module.step} of {module.total_steps}, as a callback, max_time or max_steps asked"
        has_checkpoint = (folder / "checkpoints" / "last.ckpt").is_file()
        return f"{ended}: go on with --ckpt_path {folder}" if has_checkpoint else f"{ended}: nothing was trained."

    def _train(self, folder: Path, **kwargs: Any) -> None:
        try:
            with lost_ranks_named(), self._going_on.named():
                self.trainer.fit(weights_only=True, **kwargs)
        except PreemptedError as preempted:
            try:
                self._report(folder)
            finally:
                status = self._stop(preempted)
            raise SystemExit(status) from None
        except SIGTERMException:
            # It came before the first step.
            try:
                self._report(folder)
            finally:
                if self._first and self._start.again:
                    self._say(requeue_without_checkpoint())
            raise SystemExit(128 + signal.SIGTERM) from None
        except SystemExit:
            self._report(folder)
            raise SystemExit(128 + signal.SIGINT) from None

    def _stop(self, preempted: PreemptedError) -> int:
        """Say how a training goes on that a signal stopped, and see to it; returns the exit status."""
        if not self._first:
            # Launchers end all processes where one fails, and the first has not finished yet.
            return 0
        module = cast(SteppedModule, self.model)
        step = f"{module.step_name.replace('_', ' ')} {module.step}"
        if preempted.requeue and wandb.run is not None:
            with wandb_may_end():
                wandb.run.mark_preempting()
        finish_wandb(exit_code=1)
        folder = Path(self.trainer.default_root_dir)
        self._say(requeue_with_checkpoint(preempted, step, folder, self._start.again))
        return _TEMPFAIL if preempted.requeue else 128 + preempted.signum

    def _say(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.console.print(line, soft_wrap=True, highlight=False, markup=False)

    def _say_line(self, line: str) -> None:
        self._say([line])

    def _report(self, folder: Path) -> None:
        if not self._first or not (folder / "metrics.csv").is_file():
            # Without loggers, as in fast_dev_run, or without a step.
            return
        config = self.config_init
        name, artifacts = self._get(config, "name"), self._get(config, "wandb").artifacts
        module = cast(SteppedModule, self.model)
        report_run(folder, name, module, self.trainer.loggers, artifacts, self.console)

    def before_validate(self) -> None:
        self._say_if_untrained("validate")

    def before_test(self) -> None:
        self._say_if_untrained("test")

    def _say_if_untrained(self, subcommand: str) -> None:
        if self.config[subcommand].ckpt_path is None:
            self.console.print("No --ckpt_path: these are the figures of random initial weights.")

    def validate(self, **kwargs: Any) -> None:
        """Evaluate on held-out data."""
        with self._going_on.named():
            self.trainer.validate(weights_only=True, **kwargs)

    def test(self, **kwargs: Any) -> None:
        """Evaluate on held-out data."""
        with self._going_on.named():
            self.trainer.test(weights_only=True, **kwargs)

    def after_validate(self) -> None:
        self._print_evaluation()

    def after_test(self) -> None:
        self._print_evaluation()

    def _print_evaluation(self) -> None:
        for callback in self.trainer.callbacks:  # type: ignore[attr-defined]
            if isinstance(callback, EvaluateEverySteps) and callback.last is not None:
                self.console.print(callback.last.describe(), highlight=False)


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list) else [value]

"""From a parsed config to its model, its data and Lightning's trainer; errors of a resumed training."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from jsonargparse import Namespace
from lightning_fabric.plugins.environments.cluster_environment import ClusterEnvironment
from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning import Callback, LightningDataModule, LightningModule, Trainer
from pytorch_lightning.callbacks import ProgressBar
from pytorch_lightning.cli import LightningArgumentParser
from pytorch_lightning.loggers import Logger

from wgan_lip.cli.training.saved_config import SaveConfig
from wgan_lip.cli.training.trainer_settings import check_trainer_settings
from wgan_lip.kinds import COMMON, KINDS, check_fits, in_order, kind_of
from wgan_lip.runs import MetricsCSV, NoteSignals, PreemptedError, Preemption, StepProgress, wandb_logger
from wgan_lip.training import LastStep, LostRankError, MonitorEvaluations, OtherRankError, SteppedModule, check_strategy
from wgan_lip.transport import UnprovenError

# Errors that are printed as one line anyway, and the exception of a preemption.
_ONE_LINE = (
    *(ValueError, OSError, MemoryError, MisconfigurationException),
    *(UnprovenError, LostRankError, OtherRankError, PreemptedError),
)


class ResumeGuard(Callback):
    """A callback that records when the state of a checkpoint has been used once, by a step or an evaluation.

    Lightning, optimisers and schedules accept any state of a checkpoint, and raise errors of any kind when they use it.
    It must come after all callbacks that evaluate.

    Args:
        path: the checkpoint; None if the training begins at step 0.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._first_step = -1
        self._used = path is None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if isinstance(pl_module, SteppedModule):
            self._first_step = pl_module.step

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        # A step of the module may take several batches.
        if not isinstance(pl_module, SteppedModule) or pl_module.step > self._first_step:
            self._used = True

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._used = True

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._used = True

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._used = True

    @contextmanager
    def checkpoint_named(self) -> Iterator[None]:
        """Name the checkpoint in an error that is raised before its state has been used.

        Raises:
            ValueError: instead of any error that is not printed as one line anyway.
        """
        try:
            yield
        except _ONE_LINE as error:
            if self._used or not isinstance(error, ValueError) or str(self._path) in str(error):
                raise
            raise ValueError(f"cannot resume from {self._path}: {error}") from error
        except Exception as error:
            if self._used:
                raise
            raise ValueError(f"cannot resume from {self._path}: {type(error).__name__}: {error}") from error


@dataclass(frozen=True)
class Training:
    """What a config describes, built.

    Attributes:
        model: the module to train or to evaluate.
        data: None for a kind that draws its own samples.
        callbacks: those of the model's kind.
        settings: all other options, with the trainer's own classes built.
    """

    model: SteppedModule
    data: LightningDataModule | None
    callbacks: list[Callback]
    settings: Namespace


def build(parser: LightningArgumentParser, config: Namespace) -> Training:
    """Build what a config describes, and check that its parts fit together.

    Args:
        parser: of the command.
        config: as it was parsed.

    Raises:
        ValueError: the model, its data, its callbacks or the trainer's settings do not fit together.
    """
    settings = parser.instantiate_classes(config)
    model, data, trainer = settings.model, settings.get("data"), settings.trainer
    check_strategy(trainer.strategy)
    defaults = parser.get_defaults()
    names = [key for kind in KINDS for key in kind.callbacks]
    check_fits(model, data is not None, [key for key in names if config[key] != defaults[key]])
    check_trainer_settings(trainer, model, _listed(trainer.callbacks))
    callbacks = [settings[key] for key in (*kind_of(model).callbacks, *COMMON)]
    return Training(cast(SteppedModule, model), data, callbacks, settings)


def make_trainer(
    training: Training,
    guard: ResumeGuard,
    save_config: SaveConfig,
    folder: Path | None = None,
    loggers: Callable[[], list[Logger]] = list,
) -> Trainer:
    """Make the trainer, with the callbacks in the order that they require.

    Args:
        training: the built config.
        guard: for the checkpoint.
        save_config: for the config.
        folder: of the run; None for a command that writes nothing.
        loggers: makes the loggers.

    Raises:
        ValueError: Lightning, a plugin or a logger refuses a setting.
    """
    settings = training.settings.trainer.as_dict()
    added, limit = _listed(settings["callbacks"]), settings["max_steps"]
    own_bar = settings["enable_progress_bar"] is not False and not any(isinstance(one, ProgressBar) for one in added)
    signals = NoteSignals()
    callbacks = [
        signals,
        *added,
        *training.callbacks,
        # Lightning's max_steps would count the steps of all optimisers.
        *([] if limit == -1 else [LastStep(limit)]),
        *([StepProgress()] if own_bar else []),
        MonitorEvaluations(added),
        Preemption(signals),
    ]
    settings["callbacks"] = [*in_order(callbacks), guard, *([] if settings["fast_dev_run"] else [save_config])]
    settings["max_steps"] = -1
    settings["enable_model_summary"] = settings["enable_model_summary"] is True
    try:
        settings["plugins"] = with_slurm(_listed(settings["plugins"]), settings["strategy"])
        settings["logger"] = loggers() or False
        if folder is not None:
            settings["default_root_dir"] = str(folder)
        return Trainer(**settings)
    except (ValueError, TypeError, ImportError, RuntimeError, MisconfigurationException) as error:
        raise ValueError(f"trainer: {error}") from error


def with_slurm(plugins: list[Any], strategy: Any) -> list[Any]:
    """Return Lightning's plugins; where it would detect Slurm, with one that leaves requeueing to ``Preemption``.

    Args:
        plugins: those of the config.
        strategy: that of the config.

    Raises:
        ValueError: Lightning rejects how the job's tasks were requested.
    """
    chosen = any(isinstance(plugin, ClusterEnvironment) for plugin in plugins)
    chosen = chosen or getattr(strategy, "cluster_environment", None) is not None
    if chosen or TorchElasticEnvironment.detect() or not SLURMEnvironment.detect():
        return plugins
    try:
        return [*plugins, SLURMEnvironment(auto_requeue=False)]
    except RuntimeError as error:
        raise ValueError(str(error)) from error


def make_loggers(
    training: Training, folder: Path, resumed_rows: int | None, say: Callable[[str], None]
) -> list[Logger]:
    """Make the loggers of a run: metrics.csv, and W&B unless the config names other loggers or none.

    Args:
        training: the built config.
        folder: of the run.
        resumed_rows: of metrics.csv, by the run's own checkpoint; None if the run does not resume from it.
        say: called with a line that says why, if W&B's own settings decide its mode.

    Raises:
        ValueError: metrics.csv is damaged or has lost rows, or W&B's settings are wrong.
    """
    rows = resumed_rows or 0
    metrics = MetricsCSV(folder / "metrics.csv", resume=resumed_rows is not None)
    metrics.check_rows(rows)
    chosen = training.settings.trainer.logger
    if chosen is True:
        name = f"{training.settings.name}-{folder.name}"
        options = {key: value for key, value in training.settings.wandb.items() if key != "artifacts"}
        chosen = wandb_logger(
            folder, name, name, step_name=training.model.step_name, resumed_rows=rows, say=say, **options
        )
    return [metrics, *_listed(chosen or None)]


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list) else [value]

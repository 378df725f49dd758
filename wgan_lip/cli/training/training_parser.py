"""The parser of ``wgan-lip fit | validate | test``, and what ``submit`` reads with it."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from jsonargparse import ActionConfigFile  # type: ignore[attr-defined]
from jsonargparse.typing import NonNegativeInt
from pytorch_lightning import LightningDataModule, LightningModule, Trainer

from wgan_lip.cli.commands import COMMANDS
from wgan_lip.cli.config import OneLineParser, RaisingParser, add_wandb_arguments
from wgan_lip.cli.training.saved_config import config_text
from wgan_lip.kinds import COMMON, KINDS
from wgan_lip.runs import check_name, find_checkpoint

_TRAINER_DEFAULTS = {
    "max_epochs": -1,
    "num_sanity_val_steps": 0,
    "logger": True,
    "log_every_n_steps": 1,
    # The data modules distribute their batches themselves.
    "use_distributed_sampler": False,
}
# Arguments of the Trainer's methods that are not options of the commands.
_NO_OPTIONS = {"model", "train_dataloaders", "val_dataloaders", "dataloaders", "datamodule", "weights_only"}


def training_parser(command: str, parser_class: type[OneLineParser] = OneLineParser) -> OneLineParser:
    """Make the parser of a training command: model, data, Lightning's trainer, callbacks, W&B and the run's name.

    Args:
        command: "fit", "validate" or "test".
        parser_class: the parser's class.
    """
    line = COMMANDS[command].line
    parser = parser_class(
        prog=f"wgan-lip {command}",
        description=f"{line[0].upper()}{line[1:]}.",
        dump_header=[f"pytorch_lightning=={version('pytorch-lightning')}"],
    )
    parser.add_argument("-c", "--config", action=ActionConfigFile, help="A YAML file with any of the options below.")
    parser.add_argument(
        "--seed_everything",
        type=NonNegativeInt,
        default=0,
        help="Seed of the weights, the noise and the order of the data: the same seed gives the same run.",
    )
    parser.add_lightning_class_args(Trainer, "trainer")
    parser.set_defaults({f"trainer.{name}": value for name, value in _TRAINER_DEFAULTS.items()})
    parser.add_lightning_class_args(LightningModule, "model", subclass_mode=True)
    parser.add_lightning_class_args(LightningDataModule, "data", subclass_mode=True, required=False)
    parser.add_argument("--name", type=str, default="run", help="Name of the experiment, and of its folder.")
    parser.add_argument("--runs_dir", type=str, default="runs", help="Runs are kept in RUNS_DIR/NAME/RUN/.")
    parser.add_argument(
        "--run",
        type=str | None,
        default=None,
        help="Name of the run's folder. A run with a checkpoint there is resumed from it, so the same command can be "
        "repeated until the run is finished. Without it the folder is named by the job or the time.",
    )
    add_wandb_arguments(parser)
    parser.add_argument(
        "--wandb.artifacts",
        type=bool,
        default=True,
        help="Keep checkpoint, pictures and report in W&B, where online.",
    )
    for callbacks in (*(kind.callbacks for kind in KINDS), COMMON):
        for key, callback in callbacks.items():
            parser.add_class_arguments(callback, key)
    for part in ("model", "data"):
        parser.link_arguments("seed_everything", f"{part}.init_args.seed")
    parser.add_method_arguments(Trainer, command, skip=set(_NO_OPTIONS))
    return parser


@dataclass(frozen=True)
class FitArguments:
    """The arguments of ``wgan-lip fit`` that ``submit`` needs.

    Attributes:
        name: of the experiment.
        runs_dir: where all runs live.
        run: the run's name, if it was given one.
        ckpt_path: the checkpoint to resume from, if any.
        accelerator: Lightning's name of the device.
        config: all arguments but run and ckpt_path, as YAML: a copy that later changes of the files do not affect.
    """

    name: str
    runs_dir: str
    run: str | None
    ckpt_path: Path | None
    accelerator: str
    config: str


class FitReader:
    """A reader of arguments of ``wgan-lip fit`` that builds nothing; to make it takes longer than to read."""

    def __init__(self) -> None:
        self._parser = training_parser("fit", RaisingParser)

    def read(self, args: Sequence[str]) -> FitArguments:
        """Read and check arguments as far as is possible on a machine without the job's devices.

        Args:
            args: those after ``fit``.

        Raises:
            ValueError: an argument is wrong.
            OSError: a file that they name cannot be read.
        """
        config = self._parser.parse_args(list(args))
        check_name(config.name)
        if config.run is not None:
            check_name(config.run, "run")
        if config.run is not None and config.ckpt_path is not None:
            raise ValueError(f"--run {config.run} and --ckpt_path {config.ckpt_path}: leave one of them out")
        return FitArguments(
            name=config.name,
            runs_dir=config.runs_dir,
            run=config.run,
            ckpt_path=None
            if config.ckpt_path is None
            else find_checkpoint(config.ckpt_path, config.runs_dir, config.name).absolute(),
            accelerator=str(config.trainer.accelerator),
            config=config_text(self._parser, config),
        )

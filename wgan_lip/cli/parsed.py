"""Reading the arguments of ``wgan-lip fit`` without building what they describe."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from pytorch_lightning.cli import LightningArgumentParser

from wgan_lip.cli.config import OneLineParser, config_text
from wgan_lip.cli.errors import essence
from wgan_lip.cli.train import WganLipCLI
from wgan_lip.runs.run_folder import check_name, find_checkpoint


@dataclass(frozen=True)
class FitArguments:
    """What arguments of ``wgan-lip fit`` say.

    Attributes:
        name: of the experiment.
        runs_dir: where all runs live.
        run: the run's name, if it was given one.
        ckpt_path: the checkpoint that was asked for, if any.
        accelerator: Lightning's name of the device.
        config: all of it but run and ckpt_path, as YAML: a copy, which later changes of the files do not reach.
    """

    name: str
    runs_dir: str
    run: str | None
    ckpt_path: Path | None
    accelerator: str
    config: str


class FitReader:
    """Reads arguments of ``wgan-lip fit``; making it takes a second, each reading less."""

    def __init__(self) -> None:
        self._cli = _made()

    def read(self, args: Sequence[str]) -> FitArguments:
        """Read and check them as far as that is possible on a machine without the job's devices.

        Args:
            args: those after ``fit``.

        Raises:
            ValueError: what is wrong with them.
            OSError: a file that they name cannot be read.
        """
        config = self._cli.parser.parse_args(["fit", *args])["fit"]
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
            config=config_text(self._cli.parsers["fit"], config),
        )


def training_parsers() -> dict[str, LightningArgumentParser]:
    """The parsers of the training commands, by their names."""
    return _made().parsers


def _made() -> "_ParserOnly":
    try:
        return _ParserOnly(["fit"])
    except _MadeError as made:
        return made.cli


class _MadeError(Exception):
    """Carries the command line out of its constructor, which would go on to train."""

    def __init__(self, cli: "_ParserOnly") -> None:
        super().__init__()
        self.cli = cli


class _Parser(OneLineParser):
    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        raise ValueError(essence(message)) from ex


class _ParserOnly(WganLipCLI):
    @property
    def parsers(self) -> dict[str, LightningArgumentParser]:
        return {name: self._parser(name) for name in self.subcommands()}

    def init_parser(self, **kwargs: Any) -> LightningArgumentParser:
        self.parser_class = _Parser
        return super().init_parser(**kwargs)

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        raise _MadeError(self)

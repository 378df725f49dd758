"""The commands of ``wgan-lip``, in the order of their use, and what ``wgan-lip --help`` prints."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from itertools import groupby
from textwrap import fill
from typing import Any

_DESCRIPTION = (
    "Train Wasserstein GANs and estimators of the Wasserstein-1 distance with certified 1-Lipschitz critics, set "
    "against its exact value; and classifiers whose robustness is proven."
)
_EXAMPLES = """\
examples:
  wgan-lip configs                                    list the configs
  wgan-lip fit -c wgan_lip:gan/digits.yaml            train on real digits
  wgan-lip fit -c wgan_lip:gan/digits.yaml --run a    ... or resume run a
  wgan-lip sample runs/digits/a -n 1000 -o fake.npz   generated digits
  wgan-lip diagnose runs/digits/a                     gradients, layer by layer
  wgan-lip w1 real.npy fake.npz                       exact W1 and noise floor
"""
_MORE = (
    "wgan-lip COMMAND --help lists the options of a command. Options of fit, validate, test and compare are keys of a "
    "config: --exact_w1.time_budget 60; those of the other commands are written with hyphens, --time-budget 60, and "
    "accepted with underscores too. WGAN_LIP_TRACEBACK=1 shows the traceback of an error. README.md and docs/ explain "
    "the rest."
)


@dataclass(frozen=True)
class Command:
    """One command.

    Attributes:
        group: the heading under which it is listed.
        line: what it does.
        function: ``module:function`` within ``wgan_lip.cli``, called with the arguments after the command's name. The
            module's ``make_parser()`` makes the parser that completion reads.
        is_training: whether its function also takes the command's name, and its parser is ``training_parser(name)``.
    """

    group: str
    line: str
    function: str
    is_training: bool = False

    def load(self) -> Callable[[list[str]], None]:
        """Import the command's function, and with it what the command needs, such as Lightning."""
        module, _, function = self.function.partition(":")
        return _imported(module, function)

    def make_parser(self) -> Any:
        """Make the parser of a command that does not train."""
        return _imported(self.function.partition(":")[0], "make_parser")()


def _imported(module: str, function: str) -> Callable[..., Any]:
    return getattr(import_module(f"wgan_lip.cli.{module}"), function)


_BEGIN, _TRAIN, _LOOK, _COMPARE = "begin", "train", "look at what was trained", "compare"
_RUN = "training.train:run_training"
COMMANDS = {
    "configs": Command(_BEGIN, "list the bundled configs", "configs:run_configs"),
    "completion": Command(_BEGIN, "a script by which bash or zsh completes all this", "completion:run_completion"),
    "fit": Command(_TRAIN, "train a GAN, a critic on one pair, or a classifier", _RUN, True),
    "validate": Command(_TRAIN, "evaluate a checkpoint on held-out samples", _RUN, True),
    "test": Command(_TRAIN, "the same: nothing was chosen on the held-out samples", _RUN, True),
    "submit": Command(_TRAIN, "fit as a job of Slurm, or as an array of jobs", "submit:run_submission"),
    "report": Command(_LOOK, "one HTML page of runs; of a running one, in the browser", "report:run_report"),
    "sample": Command(_LOOK, "draw samples from a checkpoint's generator", "sample:run_sampling"),
    "diagnose": Command(_LOOK, "where critics lose gradient norm, layer by layer", "diagnose:run_diagnosis"),
    "certify": Command(_LOOK, "what is proven of a classifier, and attacks on it", "certify:run_certification"),
    "export": Command(_LOOK, "a trained network as ordinary layers", "export:run_export"),
    "w1": Command(_COMPARE, "exact W1 between two sample sets", "w1:run"),
    "compare": Command(_COMPARE, "critics on pairs with known W1, seed by seed", "compare:run_comparison"),
}


def overview() -> str:
    """Return usage, the commands by their use, examples, and where to read on."""
    # The width that argparse takes, and its least.
    columns = max(shutil.get_terminal_size().columns - 2, 11)
    width = max(map(len, COMMANDS)) + 2
    parts = ["usage: wgan-lip COMMAND ...", "       wgan-lip --help | --version", "", fill(_DESCRIPTION, columns), ""]
    for group, commands in groupby(COMMANDS.items(), lambda item: item[1].group):
        parts += [f"{group}:", *(f"  {name:{width}}{command.line}" for name, command in commands), ""]
    return "\n".join([*parts, _EXAMPLES, fill(_MORE, columns), ""])

"""The commands there are, in the order of their use, and where each is found."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

DESCRIPTION = (
    "Train Wasserstein GANs and estimators of the Wasserstein-1 distance with certified 1-Lipschitz critics, set "
    "against its exact value; and classifiers whose robustness is proven."
)


@dataclass(frozen=True)
class Command:
    """One command.

    Attributes:
        group: the heading under which it is listed.
        line: what it is for.
        function: ``module:function`` within ``wgan_lip.cli``, of the arguments after the command's name. The module's
            ``make_parser()`` makes the parser that completion is told of.
        is_lightning: whether it is one of Lightning's, whose function is given the command's name as well, and whose
            parsers are ``parsed.training_parsers()``.
    """

    group: str
    line: str
    function: str
    is_lightning: bool = False

    def load(self) -> Callable[[list[str]], None]:
        """The function; only now is imported what the command needs, which may be Lightning."""
        module, _, function = self.function.partition(":")
        return _found(module, function)

    def make_parser(self) -> Any:
        """The command's parser; not for Lightning's commands."""
        return _found(self.function.partition(":")[0], "make_parser")()


def _found(module: str, function: str) -> Callable[..., Any]:
    return getattr(import_module(f"wgan_lip.cli.{module}"), function)


_BEGIN, _TRAIN, _LOOK, _COMPARE = "begin", "train", "look at what was trained", "compare"
COMMANDS = {
    "configs": Command(_BEGIN, "list the configs that come along", "configs:run_configs"),
    "completion": Command(_BEGIN, "a script by which bash or zsh completes all this", "completion:run_completion"),
    "fit": Command(_TRAIN, "train a GAN, a critic on one pair, or a classifier", "train:run_training", True),
    "validate": Command(_TRAIN, "evaluate a checkpoint on held-out samples", "train:run_training", True),
    "test": Command(_TRAIN, "the same: nothing was chosen on the held-out samples", "train:run_training", True),
    "submit": Command(_TRAIN, "fit as a job of Slurm, or as an array of jobs", "submit:run_submission"),
    "report": Command(_LOOK, "one HTML page of runs; of a running one, in the browser", "report:run_report"),
    "sample": Command(_LOOK, "draw samples from a checkpoint's generator", "sample:run_sampling"),
    "diagnose": Command(_LOOK, "where critics lose gradient norm, layer by layer", "diagnose:run_diagnosis"),
    "certify": Command(_LOOK, "what is proven of a classifier, and attacks on it", "certify:run_certification"),
    "export": Command(_LOOK, "a trained network as ordinary layers", "export:run_export"),
    "w1": Command(_COMPARE, "exact W1 between two sample sets", "w1:run"),
    "compare": Command(_COMPARE, "critics on pairs with known W1, seed by seed", "compare:run_comparison"),
}

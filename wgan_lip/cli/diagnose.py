"""``wgan-lip diagnose``: where a trained network loses gradient norm, layer by layer."""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from torch import Tensor, nn

from wgan_lip import __version__
from wgan_lip.cli.command_parser import CommandParser
from wgan_lip.cli.errors import in_one_line
from wgan_lip.cli.rebuild import load_data, load_module
from wgan_lip.data import ImageDataModule
from wgan_lip.randomness import keyed_generator
from wgan_lip.report import (
    NetworkSummary,
    gradient_figure,
    gradient_tables,
    panels_of,
    save_figure,
    summarize_gradients,
)
from wgan_lip.training import (
    RobustClassifier,
    SteppedModule,
    W1Estimator,
    WassersteinGAN,
    draw_images,
    gan_points,
    pair_points,
)
from wgan_lip.training.run_folder import find_checkpoint

_DESCRIPTION = """\
Say where the critics of checkpoints lose gradient norm: the norm of the gradient with respect to what each layer
gives, from the output back to the input; singular values of the input Jacobian and of the weights; and units that are
dead or never switch. A table for each checkpoint, and one figure in which all stand beside each other.

A GAN's critic is looked at on held-out real samples, generated ones, and points between the two; a critic of a pair on
samples of both distributions and between them (on transport rays, where an optimal plan is known: there an optimal
critic has norm 1); a classifier on held-out images, where random combinations of its logits are differentiated.

A checkpoint is loaded without executing code, but its config names classes: those of other packages than wgan_lip and
torch are refused, unless --trust is given.
"""
_EPILOG = """\
examples:
  wgan-lip diagnose runs/digits/20261123-120000
  wgan-lip diagnose relu.ckpt groupsort.ckpt -n 2048 -o relu_beside_groupsort.png
  wgan-lip diagnose last.ckpt --json > gradients.json
"""


def run_diagnosis(words: Sequence[str]) -> None:
    """Run the command.

    Args:
        words: its arguments.
    """
    options = _parser().parse_args(words)
    console = Console()
    with in_one_line():
        for name, least in (("n", 2), ("seed", 0)):
            if getattr(options, name) < least:
                raise ValueError(f"{name} must be at least {least}; got {name}={getattr(options, name)}")
        out = None if options.output is None else Path(options.output)
        if out is not None and out.suffix != ".png":
            raise ValueError(f"--output must end in .png; got {out}")
        if out is not None and not out.absolute().parent.is_dir():
            raise ValueError(f"--output: there is no folder {out.absolute().parent}")
        paths = [find_checkpoint(checkpoint, "runs", "run") for checkpoint in options.checkpoints]
        labels = _labels(paths)
        networks = [
            _diagnose(path, label, options.n, options.seed, options.trust)
            for path, label in zip(paths, labels, strict=True)
        ]
        if options.json:
            content = {"version": __version__, "networks": [network.record() for network in networks]}
            # Not through rich, which would break lines.
            console.file.write(json.dumps(content, indent=2) + "\n")
        else:
            for network in networks:
                for table in gradient_tables(network):
                    console.print(table)
        if out is not None:
            save_figure(gradient_figure(panels_of(networks)), out)
            if not options.json:
                console.print(f"Written:\n  {out}", soft_wrap=True, highlight=False)


def _diagnose(path: Path, label: str, n: int, seed: int, trust: bool) -> NetworkSummary:
    network, points = _network_and_points(path, load_module(path, trust), n, seed, trust)
    try:
        return summarize_gradients(label, network, points, keyed_generator(seed, "diagnosis"))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _network_and_points(
    path: Path, module: SteppedModule, n: int, seed: int, trust: bool
) -> tuple[nn.Module, Mapping[str, Tensor]]:
    """What is diagnosed, and at which points."""
    if isinstance(module, W1Estimator):
        return module.final_critic(), pair_points(module.pair, n, seed)
    data = load_data(path, trust)
    if isinstance(module, WassersteinGAN):
        return module.critic, gan_points(module, data, min(n, data.size("heldout")), seed)
    if isinstance(module, RobustClassifier) and isinstance(data, ImageDataModule):
        return module.network, {"held out": draw_images(data, n, seed)[0]}
    raise ValueError(f"{path} is of a {type(module).__name__}, whose networks are not known")


def _labels(paths: Sequence[Path]) -> list[str]:
    """The run of each checkpoint, or its file's name; numbered where that would be the same."""
    names = []
    for path in paths:
        folder = path.absolute().parent
        in_run = folder.name == "checkpoints"
        names.append(f"{folder.parent.parent.name}/{folder.parent.name}" if in_run else path.stem)
    return [
        name if names.count(name) == 1 else f"{name} ({names[: i + 1].count(name)})" for i, name in enumerate(names)
    ]


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser("wgan-lip diagnose", _DESCRIPTION, _EPILOG)
    parser.add_argument("checkpoints", nargs="+", metavar="CKPT", help="checkpoints, or folders of runs")
    parser.add_argument(
        "-n", "--n", type=int, default=1024, help="points of each kind (default: 1024; at most what is held out)"
    )
    parser.add_argument("-o", "--output", default=None, help="a .png file for the figure (default: none)")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of tables")
    parser.add_argument("--seed", type=int, default=0, help="of the points (default: 0)")
    parser.add_argument("--trust", action="store_true", help="build classes of other packages that the config names")
    return parser

"""``wgan-lip diagnose``: where a trained network loses gradient norm, layer by layer."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from torch import Tensor, nn

from wgan_lip import __version__
from wgan_lip.cli.command_parser import CommandParser, output, whole
from wgan_lip.cli.errors import in_one_line, interrupted
from wgan_lip.cli.rebuild import load_data, load_module, of_checkpoint
from wgan_lip.console import Console
from wgan_lip.data import ImageDataModule
from wgan_lip.progress import progress_bar
from wgan_lip.randomness import keyed_generator
from wgan_lip.report import (
    NetworkSummary,
    gradient_figure,
    gradient_tables,
    panels_of,
    save_figure,
    summarize_gradients,
)
from wgan_lip.runs.run_folder import checkpoint_at
from wgan_lip.training import (
    RobustClassifier,
    SteppedModule,
    W1Estimator,
    WassersteinGAN,
    draw_images,
    gan_points,
    pair_points,
)

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
    options = make_parser().parse_args(words)
    console = Console()
    with in_one_line():
        out: Path | None = options.output
        paths = [checkpoint_at(checkpoint) for checkpoint in options.checkpoints]
        networks: list[NetworkSummary] = []
        stopped = False
        try:
            with progress_bar(quiet=options.json) as bar:
                for path, label in bar.track(list(zip(paths, _labels(paths), strict=True)), description="diagnosing"):
                    networks.append(_diagnose(path, label, options.n, options.seed, options.trust))
        except KeyboardInterrupt:
            stopped = True
        if stopped and not networks:
            interrupted()
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
                console.print(f"Written:\n  {out}", soft_wrap=True, highlight=False, markup=False)
        if stopped:
            interrupted(f"{len(networks)} of {len(paths)} checkpoints were diagnosed")


def _diagnose(path: Path, label: str, n: int, seed: int, trust: bool) -> NetworkSummary:
    with of_checkpoint(path):
        network, points = _network_and_points(path, load_module(path, trust), n, seed, trust)
        return summarize_gradients(label, network, points, keyed_generator(seed, "diagnosis"))


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


def make_parser() -> CommandParser:
    """The command's parser."""
    parser = CommandParser("wgan-lip diagnose", _DESCRIPTION, _EPILOG)
    parser.add_checkpoint(several=True)
    parser.add_argument(
        "-n",
        "--n",
        type=whole(2),
        default=1024,
        metavar="N",
        help="points of each kind (default: 1024; at most what is held out)",
    )
    parser.add_argument("-o", "--output", type=output(".png"), metavar="FILE", help="a .png file for the figure")
    parser.add_seed("the points")
    parser.add_json("tables")
    return parser

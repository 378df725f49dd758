"""``wgan-lip diagnose``: the gradient norm of a trained network, layer by layer."""

from collections.abc import Sequence
from pathlib import Path

from wgan_lip import __version__
from wgan_lip.cli.command_parser import CommandParser, json_text, output, whole
from wgan_lip.cli.errors import in_one_line, interrupted
from wgan_lip.cli.rebuild import load_data, load_module, of_checkpoint
from wgan_lip.console import Console, progress_bar
from wgan_lip.kinds import kind_of
from wgan_lip.randomness import keyed_generator
from wgan_lip.report import (
    NetworkSummary,
    gradient_figure,
    gradient_tables,
    panels_of,
    save_figure,
    summarize_gradients,
)
from wgan_lip.runs import checkpoint_at
from wgan_lip.training import network_and_points

_DESCRIPTION = """\
Show where the critics of checkpoints lose gradient norm: the norm of the gradient with respect to each layer's output,
from the last layer back to the input; singular values of the input Jacobian and of the weights; and units that are dead
or never switch. Prints a table for each checkpoint, and draws one figure of all of them side by side.

A GAN's critic is differentiated at held-out real samples, generated ones, and points between the two; a critic of a
pair at samples of both distributions and between them (on transport rays, where an optimal plan is known: there an
optimal critic has norm 1); a classifier at held-out images, where random combinations of its logits are differentiated.

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
            # Rich would break long lines.
            console.file.write(json_text(content))
        else:
            for network in networks:
                for table in gradient_tables(network):
                    console.print(table)
        if out is not None:
            save_figure(gradient_figure(panels_of(networks)), out)
            if not options.json:
                console.print_plain("Written:", f"  {out}")
        if stopped:
            interrupted(f"{len(networks)} of {len(paths)} checkpoints were diagnosed")


def _diagnose(path: Path, label: str, n: int, seed: int, trust: bool) -> NetworkSummary:
    with of_checkpoint(path):
        module = load_module(path, trust)
        data = load_data(path, trust) if kind_of(module).takes_data else None
        network, points = network_and_points(module, data, n, seed)
        return summarize_gradients(label, network, points, keyed_generator(seed, "diagnosis"))


def _labels(paths: Sequence[Path]) -> list[str]:
    """The name of each checkpoint's run, or of its file; equal names are numbered."""
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

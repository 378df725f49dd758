"""``wgan-lip export``: a trained network as ordinary layers, for use without this package."""

from collections.abc import Sequence
from pathlib import Path

import torch

from wgan_lip.cli.command_parser import CommandParser
from wgan_lip.cli.errors import in_one_line
from wgan_lip.cli.rebuild import load_module, of_checkpoint
from wgan_lip.console import Console, progress_bar
from wgan_lip.files import check_suffix, write_network
from wgan_lip.kinds import Exportable, kind_of
from wgan_lip.lipschitz import plain
from wgan_lip.randomness import keyed_generator
from wgan_lip.runs import checkpoint_at
from wgan_lip.training import SteppedModule

_DESCRIPTION = """\
Write a checkpoint's network to a file, as ordinary layers without parametrisations, constraints and dropout:

  .pt2   a program for torch.export.load, which needs PyTorch only
  .onnx  for ONNX Runtime and others, with input x and output y (pip install 'wgan-lip[export]')
  .pt    the weights alone, for the nn.Sequential of layers that is printed

Batches may have any size. The file is read back, and kept only if its outputs are the checkpoint's to 1e-5.
"""
_EPILOG = """\
examples:
  wgan-lip export runs/fashion_mnist/20261123-120000 -o critic.pt2
  wgan-lip export last.ckpt -o generator.onnx --part generator
  wgan-lip export last.ckpt -o critic.onnx --relu
"""
# Inputs on which the file is compared with the network.
_POINTS = 16


def run_export(words: Sequence[str]) -> None:
    """Run the command.

    Args:
        words: its arguments.
    """
    options = make_parser().parse_args(words)
    with in_one_line():
        out = Path(options.output)
        check_suffix(out)
        path = checkpoint_at(options.checkpoint)
        module = load_module(path, options.trust)
        with of_checkpoint(path):
            chosen = _chosen(module, options.part, options.raw)
        shape = _shape(options.shape) if options.shape else chosen.shape
        if shape is None:
            raise ValueError(f"{path} does not say which inputs its {chosen.name} takes: give --shape, as in 1,28,28")
        network = chosen.network.eval().requires_grad_(False)
        layers = plain(network, options.relu).requires_grad_(False)
        dtype = next((parameter.dtype for parameter in layers.parameters()), torch.float32)
        points = torch.randn(_POINTS, *shape, dtype=dtype, generator=keyed_generator("export"))
        try:
            network(points.clone())
        except (RuntimeError, TypeError, ValueError) as error:
            raise ValueError(f"{chosen.name} does not take inputs of shape {list(shape)}: {error}") from error
        with of_checkpoint(path), progress_bar() as bar:
            bar.add_task("exporting", total=None)
            written = write_network(layers, out, points, network)
        Console().print_plain(
            f"{out}: the {chosen.name} after step {module.step} ({path}), for inputs of shape (N, "
            f"{', '.join(map(str, shape))})",
            str(layers),
            f"Read back, its outputs for {written.points} inputs differ from the checkpoint's by at most "
            f"{written.difference:.2g}.",
        )


def _chosen(module: SteppedModule, name: str | None, raw: bool) -> Exportable:
    """The network of a module by the last word of its name; the kind's first if there is none.

    Raises:
        ValueError: there is no such network.
    """
    networks = kind_of(module).exportables(module, raw)
    found = [one for one in networks if name in (None, one.name.split()[-1])]
    if not found:
        raise ValueError(f"the checkpoint's {type(module).__name__} has no {name}")
    return found[0]


def _shape(text: str) -> tuple[int, ...]:
    sizes = text.split(",")
    if not all(size.strip().isdecimal() and int(size) > 0 for size in sizes):
        raise ValueError(f"--shape must be sizes of at least 1 with commas between, as in 1,28,28; got {text}")
    return tuple(int(size) for size in sizes)


def make_parser() -> CommandParser:
    """The command's parser."""
    parser = CommandParser("wgan-lip export", _DESCRIPTION, _EPILOG)
    parser.add_checkpoint()
    parser.add_argument("-o", "--output", required=True, metavar="FILE", help="a .pt2, .onnx or .pt file")
    parser.add_argument("--part", choices=("critic", "generator"), help="of a GAN (default: critic)")
    parser.add_argument("--relu", action="store_true", help="make sorting of linear maps and ReLUs, for verifiers")
    parser.add_argument("--shape", help="of one input, as in 1,28,28, where the network does not say")
    parser.add_argument("--raw", action="store_true", help="the generator itself where an average of it is kept")
    return parser

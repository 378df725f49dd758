"""``wgan-lip sample``: samples of a trained generator, from its checkpoint alone."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wgan_lip.cli.command_parser import CommandParser, output, whole
from wgan_lip.cli.errors import in_one_line
from wgan_lip.cli.rebuild import load_module, of_checkpoint
from wgan_lip.console import Console, progress_bar
from wgan_lip.replaced import replacing
from wgan_lip.runs import checkpoint_at
from wgan_lip.training import WassersteinGAN

_DESCRIPTION = """\
Draw samples from the generator of a checkpoint of wgan-lip fit, and write them to a file that wgan-lip w1 reads.

The checkpoint holds the config from which the networks are built; no run folder is needed. It is loaded without
executing code, but its config names classes: those of other packages than wgan_lip and torch are refused, unless
--trust is given.
"""
_EPILOG = """\
examples:
  wgan-lip sample runs/fashion_mnist/20261123-120000 -n 10000 -o samples.npz
  wgan-lip sample last.ckpt -n 64 -o more.npz --raw --seed 1
  wgan-lip w1 samples.npz:samples real.npy
"""
# Samples that are generated at once.
_CHUNK = 1024


def run_sampling(words: Sequence[str]) -> None:
    """Run the command.

    Args:
        words: its arguments.
    """
    options = make_parser().parse_args(words)
    with in_one_line():
        out: Path = options.output
        path = checkpoint_at(options.checkpoint)
        gan = load_gan(path, options.trust)
        averaged = gan.averaged is not None and not options.raw
        with of_checkpoint(path):
            samples = np.concatenate(list(_chunks(gan, options.n, options.seed, averaged)))
        with replacing(out) as file:
            if out.suffix == ".npz":
                np.savez(file, samples=samples)
            else:
                np.save(file, samples, allow_pickle=False)
        kind = "the averaged generator" if averaged else "the generator"
        Console().print_plain(
            f"{out}: {len(samples)} samples of shape {samples.shape[1:]} in float32, of {kind} after step "
            f"{gan.step} ({path})"
        )


def load_gan(path: Path, trust: bool = False) -> WassersteinGAN:
    """Load the GAN of a checkpoint, with its weights, in evaluation mode.

    Args:
        path: the checkpoint.
        trust: build classes of any package that its config names.

    Raises:
        ValueError: not a checkpoint of a GAN, or as ``load_module``.
    """
    gan = load_module(path, trust)
    if not isinstance(gan, WassersteinGAN):
        raise ValueError(
            f"CKPT must be a checkpoint of a WassersteinGAN, which has a generator; {path} holds a {type(gan).__name__}"
        )
    return gan


def _chunks(gan: WassersteinGAN, n: int, seed: int, averaged: bool) -> Iterator[NDArray[np.float32]]:
    with progress_bar() as bar:
        task = bar.add_task("sampling", total=n)
        for i in range(0, n, _CHUNK):
            noise = gan.noise(min(_CHUNK, n - i), "sample", seed, i)
            yield gan.sample(noise, averaged).float().cpu().numpy()
            bar.advance(task, len(noise))


def make_parser() -> CommandParser:
    """The command's parser."""
    parser = CommandParser("wgan-lip sample", _DESCRIPTION, _EPILOG)
    parser.add_checkpoint()
    parser.add_argument("-n", "--n", type=whole(1), default=64, metavar="N", help="how many samples (default: 64)")
    parser.add_argument(
        "-o",
        "--output",
        type=output(".npz", ".npy"),
        default="samples.npz",
        metavar="FILE",
        help="a .npz or .npy file (default: samples.npz)",
    )
    parser.add_argument("--raw", action="store_true", help="of the generator itself where an average of it is kept")
    parser.add_seed("the noise")
    return parser

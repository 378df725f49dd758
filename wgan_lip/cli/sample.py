"""``wgan-lip sample``: images of a trained generator, from its checkpoint alone."""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from wgan_lip.cli.command_parser import CommandParser
from wgan_lip.cli.errors import in_one_line
from wgan_lip.cli.rebuild import load_module
from wgan_lip.training import WassersteinGAN
from wgan_lip.training.run_folder import find_checkpoint

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
    options = _parser().parse_args(words)
    with in_one_line():
        for name in ("n", "seed"):
            if getattr(options, name) < (least := 1 if name == "n" else 0):
                raise ValueError(f"{name} must be at least {least}; got {name}={getattr(options, name)}")
        out = Path(options.output)
        if out.suffix not in (".npz", ".npy"):
            raise ValueError(f"--output must end in .npz or .npy; got {out}")
        if not out.absolute().parent.is_dir():
            raise ValueError(f"--output: there is no folder {out.absolute().parent}")
        path = find_checkpoint(options.checkpoint, "runs", "run")
        gan = load_gan(path, trust=options.trust)
        averaged = gan.averaged is not None and not options.raw
        samples = np.concatenate(list(_parts(gan, options.n, options.seed, averaged)))
        _write(out, samples)
        kind = "the averaged generator" if averaged else "the generator"
        Console().print(
            f"{out}: {len(samples)} samples of shape {samples.shape[1:]} in float32, of {kind} after step "
            f"{gan.step} ({path})",
            soft_wrap=True,
            highlight=False,
        )


def load_gan(path: Path, trust: bool = False) -> WassersteinGAN:
    """The GAN of a checkpoint, with its weights, in evaluation mode.

    Args:
        path: the checkpoint.
        trust: build classes of any package that its config names.

    Raises:
        ValueError: not a checkpoint of a GAN, or as ``load_module``.
    """
    gan = load_module(path, trust)
    if not isinstance(gan, WassersteinGAN):
        raise ValueError(f"{path} is of a {type(gan).__name__}, which generates nothing")
    return gan


def _parts(gan: WassersteinGAN, n: int, seed: int, averaged: bool) -> Iterator[NDArray[np.float32]]:
    for i in track(range(0, n, _CHUNK), "sampling", console=Console(stderr=True), transient=True):
        noise = gan.noise(min(_CHUNK, n - i), "sample", seed, i)
        yield gan.sample(noise, averaged).float().cpu().numpy()


def _write(path: Path, samples: NDArray[np.float32]) -> None:
    # Through a temporary file, so that nobody reads half of one.
    temporary = path.with_name(path.name + ".tmp")
    try:
        with temporary.open("wb") as file:
            if path.suffix == ".npz":
                np.savez(file, samples=samples)
            else:
                np.save(file, samples, allow_pickle=False)
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser("wgan-lip sample", _DESCRIPTION, _EPILOG)
    parser.add_argument("checkpoint", help="a checkpoint, or the folder of a run")
    parser.add_argument("-n", type=int, default=64, help="how many samples (default: 64)")
    parser.add_argument("-o", "--output", default="samples.npz", help="a .npz or .npy file (default: samples.npz)")
    parser.add_argument("--seed", type=int, default=0, help="of the noise (default: 0)")
    parser.add_argument("--raw", action="store_true", help="of the generator itself where an average of it is kept")
    parser.add_argument("--trust", action="store_true", help="build classes of other packages that the config names")
    return parser

"""``wgan-lip sample``: images of a trained generator, from its checkpoint alone."""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import yaml
from numpy.typing import NDArray
from pytorch_lightning import LightningModule
from rich.console import Console
from rich.progress import track

from wgan_lip.cli.config import OneLineParser
from wgan_lip.cli.errors import fail, in_one_line
from wgan_lip.training import WassersteinGAN
from wgan_lip.training.run_folder import find_checkpoint, load_checkpoint
from wgan_lip.training.stepped import CHECKPOINT_KEY

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
_TRUSTED = ("wgan_lip.", "torch.")


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        fail(message)


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
        ValueError: not a checkpoint of a GAN with its config, of other networks than its config's, or one that names
            classes of other packages.
    """
    checkpoint = load_checkpoint(path)
    text = checkpoint[CHECKPOINT_KEY].get("config")
    model = (yaml.safe_load(text) or {}).get("model") if isinstance(text, str) else None
    if not isinstance(model, dict):
        raise ValueError(f"{path} holds no config of a model: it was not written by wgan-lip fit")
    if not trust:
        for name in _class_paths(model):
            if not name.startswith(_TRUSTED):
                raise ValueError(f"{path} names the class {name}, which is not of wgan_lip or torch: --trust builds it")
    parser = OneLineParser()
    parser.add_subclass_arguments(LightningModule, "model", required=True)
    gan = parser.instantiate_classes(parser.parse_object({"model": model}))["model"]
    if not isinstance(gan, WassersteinGAN):
        raise ValueError(f"{path} is of a {type(gan).__name__}, which generates nothing")
    gan.check_networks(checkpoint["state_dict"])
    gan.load_state_dict(checkpoint["state_dict"])
    for name in gan.counters:
        setattr(gan, name, checkpoint[CHECKPOINT_KEY][name])
    return gan.eval()


def _class_paths(value: Any) -> Iterator[str]:
    """Every dotted name that jsonargparse may import: class_path entries, and callables given by their path."""
    if isinstance(value, dict):
        for part in value.values():
            yield from _class_paths(part)
    elif isinstance(value, list):
        for part in value:
            yield from _class_paths(part)
    elif isinstance(value, str) and "." in value and all(part.isidentifier() for part in value.split(".")):
        yield value


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
    parser = _Parser(
        "wgan-lip sample",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("checkpoint", help="a checkpoint, or the folder of a run")
    parser.add_argument("-n", type=int, default=64, help="how many samples (default: 64)")
    parser.add_argument("-o", "--output", default="samples.npz", help="a .npz or .npy file (default: samples.npz)")
    parser.add_argument("--seed", type=int, default=0, help="of the noise (default: 0)")
    parser.add_argument("--raw", action="store_true", help="of the generator itself where an average of it is kept")
    parser.add_argument("--trust", action="store_true", help="build classes of other packages that the config names")
    return parser

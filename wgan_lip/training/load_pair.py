"""A pair of distributions from two sample sets on disk."""

import logging
import warnings

import torch
from pytorch_lightning.utilities import rank_zero_only
from torch import Tensor

from wgan_lip.distributions import SamplePair
from wgan_lip.files import FileSamples, different_scales, load_samples, split_key
from wgan_lip.plain_text import printable
from wgan_lip.randomness import keyed_generator

_LOG = logging.getLogger(__name__)


def load_pair(real: str, fake: str, heldout: float = 0.25, seed: int = 0) -> SamplePair:
    """Build a pair of distributions P and Q from samples in files or folders, in the formats of ``wgan-lip w1``.

    Each set is shuffled before a part of it is held out from training. In a config this function is the
    ``class_path`` of a pair, and ``real`` and ``fake`` are its ``init_args``.

    Args:
        real: path of the samples of P: an array (.npy, .npz), a tensor (.pt, .pth) or a folder of images;
            ``file.npz:key`` names one array of several. Images of 8 bits are scaled to [-1, 1].
        fake: path of the samples of Q, likewise.
        heldout: fraction of each set that is held out, in (0, 1).
        seed: of the shuffle.

    Raises:
        ValueError: a file that cannot be read, samples of different shapes, or too few samples.
        OSError: no such file or folder.
    """
    sets = [load_samples(*split_key(path)) for path in (real, fake)]
    for samples in sets:
        _say(samples)
    x, y = (_shuffled(samples, seed, side) for samples, side in zip(sets, ("real", "fake"), strict=True))
    if x.shape[1:] != y.shape[1:]:
        raise ValueError(
            f"{sets[0].name} and {sets[1].name} must hold samples of one shape; "
            f"got {tuple(x.shape[1:])} and {tuple(y.shape[1:])}"
        )
    warning = different_scales(sets[0].values, sets[1].values, (real, fake), any(s.scaled for s in sets))
    if warning:
        warnings.warn(warning, stacklevel=2)
    bounds = (-1.0, 1.0) if all(samples.scaled for samples in sets) else None
    return SamplePair(x, y, heldout, bounds)


@rank_zero_only
def _say(samples: FileSamples) -> None:
    if samples.left_out:
        _LOG.warning("%s: %s", printable(samples.name), samples.left_out)


def _shuffled(samples: FileSamples, seed: int, side: str) -> Tensor:
    # PyTorch knows numbers in this machine's byte order only.
    values = torch.from_numpy(samples.values.astype(samples.values.dtype.newbyteorder("="), copy=False))
    # (n,) is n points on the real line.
    values = values.unsqueeze(1) if values.ndim == 1 else values
    return values[torch.randperm(len(values), generator=keyed_generator(seed, "split", side))]

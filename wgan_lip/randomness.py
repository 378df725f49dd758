"""Random streams that are functions of their names, not of what was drawn before."""

import zlib

import numpy as np
import torch


def keyed_generator(*key: int | str, device: torch.device | str = "cpu") -> torch.Generator:
    """A generator whose seed is mixed from ``key``.

    The same key gives the same stream in any process, whatever else was drawn; different keys give
    independent streams. A run that is resumed at step k therefore continues exactly, without
    a generator's state having to be saved, on any number of ranks.

    Args:
        key: for instance ``(seed, "noise", step, rank)``; integers must not be negative.
        device: where the generator draws.
    """
    words = [zlib.crc32(part.encode()) if isinstance(part, str) else part for part in key]
    seed = int(np.random.SeedSequence(words).generate_state(1, np.uint64)[0])
    return torch.Generator(device).manual_seed(seed & 0x7FFF_FFFF_FFFF_FFFF)

"""Random streams that are functions of their names, not of what was drawn before."""

import hashlib

import torch


def keyed_generator(*key: int | str, device: torch.device | str = "cpu") -> torch.Generator:
    """A generator whose seed is a hash of ``key``.

    The same key gives the same stream in any process, whatever else was drawn; different keys give
    independent streams. A run that is resumed at step k therefore continues exactly, without
    a generator's state having to be saved, on any number of ranks.

    Args:
        key: for instance ``(seed, "noise", step, rank)``.
        device: where the generator draws.
    """
    digest = hashlib.blake2b(repr(key).encode(), digest_size=8).digest()
    return torch.Generator(device).manual_seed(int.from_bytes(digest, "little") >> 1)

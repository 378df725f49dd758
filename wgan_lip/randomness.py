"""Random streams that depend on their names only, not on earlier draws."""

import hashlib

import torch


def keyed_generator(*key: int | str, device: torch.device | str = "cpu") -> torch.Generator:
    """Make a generator whose seed is a hash of ``key``.

    The same key gives the same stream in any process, whatever else was drawn; different keys give independent streams.
    A run that is resumed at step k therefore continues exactly, on any number of ranks, without a saved state of a
    generator.

    Args:
        key: for instance ``(seed, "noise", step, rank)``.
        device: of the generator.
    """
    digest = hashlib.blake2b(repr(key).encode(), digest_size=8).digest()
    return torch.Generator(device).manual_seed(int.from_bytes(digest, "little") >> 1)

"""Checkpoints as they are read, whoever has had them since they were written: what is in them is what it should be."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from wgan_lip.saved import is_count, load_saved, named_value
from wgan_lip.training import CHECKPOINT_KEY

# Words in the state of the Mersenne twister.
_TWISTER = 624


def check_checkpoint(path: Path) -> dict[str, Any]:
    """What the package keeps in a checkpoint: version, step counters, config and more.

    Args:
        path: the file.

    Raises:
        ValueError: as ``load_checkpoint``.
    """
    kept: dict[str, Any] = load_checkpoint(path)[CHECKPOINT_KEY]
    return kept


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Load a checkpoint, safely, and see that it is one of this package.

    Args:
        path: the file; only tensors and plain Python values are loaded from it, never code.

    Returns:
        All that Lightning and the package keep in it. What the package keeps of it is of the type that it writes;
        something may be missing.

    Raises:
        ValueError: truncated, damaged, not a checkpoint, not one of this package, or one with values of other types.
    """
    checkpoint = load_saved(path, "a checkpoint of wgan-lip")
    kept = checkpoint.get(CHECKPOINT_KEY) if isinstance(checkpoint, dict) else None
    if not isinstance(kept, dict):
        raise ValueError(f"{path} is not a checkpoint of wgan-lip")
    for key, value in kept.items():
        is_good, wanted = _KEPT.get(key, (_is_anything, ""))
        if not is_good(value):
            raise ValueError(f"{path} is damaged: its {key} must be {wanted}; got {named_value(value)}")
    return checkpoint


def _is_anything(value: Any) -> bool:
    return True


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and value.isidentifier()


def _are_rows(value: Any) -> bool:
    return value is None or is_count(value)


def _are_random_states(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_random_state, value))


def _is_random_state(state: Any) -> bool:
    """Whether generators of their own take the states, none of which they check for all that could be wrong."""
    try:
        torch.Generator().set_state(state["torch"])
        keys, position, has_gauss, gauss = state["numpy"]
        words = keys.numpy().astype(np.uint32)
        np.random.RandomState().set_state(("MT19937", words, position, has_gauss, gauss))
        version, internal, gauss_next = state["python"]
        random.Random().setstate((version, tuple(internal), gauss_next))  # noqa: S311
        cuda = state["cuda"]
    except Exception:
        return False
    return 0 <= position <= _TWISTER and isinstance(cuda, list) and all(isinstance(one, Tensor) for one in cuda)


# Of what the package keeps: what it must be, and that in words.
_KEPT: dict[str, tuple[Callable[[Any], bool], str]] = {
    "version": (_is_text, "text"),
    "config": (_is_text, "text"),
    "step_name": (_is_name, "the name of a counter"),
    "optimizers": (_are_texts, "a list of names"),
    "classes": (_are_texts, "a list of names"),
    "metrics_rows": (_are_rows, "a number of rows"),
    "random_states": (_are_random_states, "the states of random generators"),
}

"""The private names of Lightning that this package uses, for which there is no public way."""

import datetime

import torch.distributed as dist
from pytorch_lightning import Callback
from pytorch_lightning.callbacks import EarlyStopping, ModelCheckpoint
from pytorch_lightning.strategies import Strategy


def collective_timeout(strategy: Strategy) -> datetime.timedelta:
    """Return the time after which a collective of a strategy's processes fails."""
    return getattr(strategy, "_timeout", None) or dist.default_pg_timeout


def act_after_validation(callback: Callback) -> None:
    """Have a callback that has no choice of its own act after validations, and not at the end of epochs.

    Args:
        callback: an ``EarlyStopping`` or a ``ModelCheckpoint``; any other stays as it is.
    """
    if isinstance(callback, EarlyStopping) and callback._check_on_train_epoch_end is None:
        callback._check_on_train_epoch_end = False
    elif isinstance(callback, ModelCheckpoint) and callback._save_on_train_epoch_end is None:
        callback._save_on_train_epoch_end = False

"""Environment variables that other packages read while they are imported: checked, and completed."""

import re
from collections.abc import MutableMapping

# Whole numbers that Lightning, torchmetrics and PyTorch read, with the least allowed value of each.
_NUMBERS = {
    **dict.fromkeys(("RANK", "LOCAL_RANK", "GROUP_RANK", "NODE_RANK", "JSM_NAMESPACE_RANK", "STANDALONE_PORT"), 0),
    **dict.fromkeys(("SLURM_PROCID", "SLURM_LOCALID", "SLURM_NODEID"), 0),
    **dict.fromkeys(("WORLD_SIZE", "LOCAL_WORLD_SIZE", "GROUP_WORLD_SIZE", "SLURM_NTASKS"), 1),
    **dict.fromkeys(("SLURM_NTASKS_PER_NODE", "SLURM_NNODES", "MASTER_PORT"), 1),
}
_OTHERS = ("SLURM_", "TORCHELASTIC_", "WANDB_")


def prepare_environment(environ: MutableMapping[str, str]) -> None:
    """Check variables that would end an import in a traceback, and delete empty ones.

    Args:
        environ: of the process; changed in place.

    Raises:
        ValueError: a rank or a number of processes is not a whole number.
    """
    # Figures are drawn into files, even under a notebook's backend.
    environ["MPLBACKEND"] = "agg"
    for name in list(environ):
        if (name in _NUMBERS or name.startswith(_OTHERS)) and not environ[name].strip():
            del environ[name]
    for name, least in _NUMBERS.items():
        value = environ.get(name)
        if value is not None and (re.fullmatch(r"\s*\d+\s*", value) is None or int(value) < least):
            raise ValueError(f"the environment's {name} must be a whole number from {least}; got {value!r}")
    if "WANDB_MODE" in environ:
        # W&B itself accepts only lower case.
        environ["WANDB_MODE"] = environ["WANDB_MODE"].strip().lower()
    # In 0 columns nothing would be shown.
    for name in ("COLUMNS", "LINES"):
        if name in environ and not environ[name].strip("0 "):
            del environ[name]

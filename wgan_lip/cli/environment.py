"""What other packages read from the environment while they are imported, made such that they can."""

import re
from collections.abc import MutableMapping

# Whole numbers, from the smallest that they may be: Lightning, torchmetrics and PyTorch read them.
_NUMBERS = {
    **dict.fromkeys(("RANK", "LOCAL_RANK", "GROUP_RANK", "NODE_RANK", "JSM_NAMESPACE_RANK", "STANDALONE_PORT"), 0),
    **dict.fromkeys(("SLURM_PROCID", "SLURM_LOCALID", "SLURM_NODEID"), 0),
    **dict.fromkeys(("WORLD_SIZE", "LOCAL_WORLD_SIZE", "GROUP_WORLD_SIZE", "SLURM_NTASKS"), 1),
    **dict.fromkeys(("SLURM_NTASKS_PER_NODE", "SLURM_NNODES", "MASTER_PORT"), 1),
}
_OTHERS = ("SLURM_", "TORCHELASTIC_", "WANDB_")


def settle_environment(environ: MutableMapping[str, str]) -> None:
    """Check what would end an import in a traceback; a variable that is empty is as one that is not set.

    Figures are drawn into files, whatever a notebook has chosen to show its own by.

    Args:
        environ: of the process.

    Raises:
        ValueError: a rank or a number of processes that is no whole number.
    """
    environ["MPLBACKEND"] = "agg"
    for name in list(environ):
        if (name in _NUMBERS or name.startswith(_OTHERS)) and not environ[name].strip():
            del environ[name]
    for name, least in _NUMBERS.items():
        value = environ.get(name)
        if value is not None and (re.fullmatch(r"\s*\d+\s*", value) is None or int(value) < least):
            raise ValueError(f"the environment's {name} must be a whole number from {least}; got {value!r}")
    if "WANDB_MODE" in environ:
        # W&B itself knows but small letters.
        environ["WANDB_MODE"] = environ["WANDB_MODE"].strip().lower()
    # Nothing at all is shown in so many columns.
    for name in ("COLUMNS", "LINES"):
        if not environ.get(name, "").strip("0 "):
            environ.pop(name, None)

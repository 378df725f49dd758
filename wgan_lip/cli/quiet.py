"""What Lightning says that is no news to whoever trains."""

import logging
import warnings

from lightning_fabric.strategies.launchers import subprocess_script


def hush_logs() -> None:
    """Leave out devices found and seeds set, which are in the config, and tips."""
    for name in ("pytorch_lightning", "lightning_fabric", "lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # Whoever asks for a profile wants to see it.
    logging.getLogger("pytorch_lightning.profilers").setLevel(logging.INFO)
    # Why all processes end is said by their launcher alone, where one is killed.
    logging.getLogger(subprocess_script.__name__).setLevel(logging.INFO)


def hush_warnings() -> None:
    """Leave out warnings of what is meant, and of Lightning's own doings."""
    # Data in memory want no workers, and Lightning uses a deprecated PyTorch name.
    warnings.filterwarnings("ignore", ".*does not have many workers.*")
    warnings.filterwarnings("ignore", ".*LeafSpec.*is deprecated.*")
    # The state after a step is what a checkpoint of it is to hold.
    warnings.filterwarnings("ignore", "Using ModelCheckpoint with manual optimization")
    # Where Slurm is installed, not every training is a job's.
    warnings.filterwarnings("ignore", "The `srun` command is available")

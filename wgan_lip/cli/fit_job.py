"""What a job of ``wgan-lip submit`` runs; it imports little, so that submitit soon minds the signals."""

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from submitit.helpers import DelayedSubmission


@dataclass(frozen=True)
class FitJob:
    """``wgan-lip fit``, each time that Slurm starts the job.

    Args:
        arguments: of ``fit``.
    """

    arguments: tuple[str, ...]

    def __call__(self) -> None:
        from wgan_lip.cli import main

        # As if it were from a shell: Lightning and W&B look there for what was run.
        sys.argv = ["wgan-lip", "fit", *self.arguments]
        main()

    def checkpoint(self) -> "DelayedSubmission":
        """Where submitit catches the signal, before and after training, there is nothing to save: the same again."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)

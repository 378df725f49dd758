"""The Slurm of the tests marked so."""

from tests.slurm.conftest import cluster

__all__ = ["cluster"]

"""Critics against each other on pairs of distributions: cells that are trained once, and kept."""

from wgan_lip.comparison.cell import Cell, parse_cells
from wgan_lip.comparison.job_array import JobArray
from wgan_lip.comparison.launcher import Launcher, Processes
from wgan_lip.comparison.run import Outcome, run_cells
from wgan_lip.comparison.slurm import Slurm
from wgan_lip.comparison.store import Store
from wgan_lip.comparison.summary import Summary, summarize
from wgan_lip.comparison.task import Failure

__all__ = [
    "Cell",
    "Failure",
    "JobArray",
    "Launcher",
    "Outcome",
    "Processes",
    "Slurm",
    "Store",
    "Summary",
    "parse_cells",
    "run_cells",
    "summarize",
]

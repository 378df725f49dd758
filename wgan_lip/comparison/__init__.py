"""Critics compared on pairs of distributions: cells that are trained once, and kept."""

from wgan_lip.comparison.cell import Cell, parse_cells
from wgan_lip.comparison.processes import Processes
from wgan_lip.comparison.run import Failure, Launcher, run_cells
from wgan_lip.comparison.slurm import LARGEST_ARRAY, JobArray
from wgan_lip.comparison.squeue import JobState, wait_for_jobs
from wgan_lip.comparison.store import Outcome, Store
from wgan_lip.comparison.summary import Summary, summarize

__all__ = [
    "LARGEST_ARRAY",
    "Cell",
    "Failure",
    "JobArray",
    "JobState",
    "Launcher",
    "Outcome",
    "Processes",
    "Store",
    "Summary",
    "parse_cells",
    "run_cells",
    "summarize",
    "wait_for_jobs",
]

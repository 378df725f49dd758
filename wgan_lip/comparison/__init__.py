"""Critics compared on pairs of distributions: cells that are trained once, and kept."""

from wgan_lip.comparison.cell import Cell, parse_cells
from wgan_lip.comparison.results import Failure, Outcome, Store, Summary, summarize
from wgan_lip.comparison.run import Launcher, Processes, run_cells
from wgan_lip.comparison.slurm import LARGEST_ARRAY, JobArray, JobState, wait_for_jobs

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

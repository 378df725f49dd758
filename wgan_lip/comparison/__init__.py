"""Critics against each other on pairs of distributions: cells that are trained once, and kept."""

from wgan_lip.comparison.cell import Cell, parse_cells
from wgan_lip.comparison.run import Failure, Outcome, run_cells
from wgan_lip.comparison.store import Store
from wgan_lip.comparison.summary import Summary, summarize

__all__ = ["Cell", "Failure", "Outcome", "Store", "Summary", "parse_cells", "run_cells", "summarize"]

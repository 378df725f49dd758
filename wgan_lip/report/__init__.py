"""Figures and tables of a run."""

from wgan_lip.report.figures import save_figure, w1_figure
from wgan_lip.report.history import Row, read_history
from wgan_lip.report.table import shown_rows, w1_table

__all__ = ["Row", "read_history", "save_figure", "shown_rows", "w1_figure", "w1_table"]

"""The report of runs as one HTML page that needs nothing else."""

from wgan_lip.report.page.layers import CheckpointCertificate
from wgan_lip.report.page.pages import write_page
from wgan_lip.report.page.run import Picture, RunRecord, read_run
from wgan_lip.report.page.server import serve_page

__all__ = ["CheckpointCertificate", "Picture", "RunRecord", "read_run", "serve_page", "write_page"]

"""The report of runs as one HTML page that needs no other file and no network."""

from wgan_lip.page.page import CheckpointCertificate, write_page
from wgan_lip.page.server import serve_page

__all__ = ["CheckpointCertificate", "serve_page", "write_page"]

"""``python -m wgan_lip`` is ``wgan-lip``."""

from wgan_lip.cli import main

main()

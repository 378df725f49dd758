"""Imports of the package: cheap, and free of training and plotting."""

import subprocess
import sys


def test_transport_imports_neither_lightning_nor_tracking_nor_plotting():
    code = "import sys, wgan_lip.transport; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "wgan_lip.transport" in loaded
    assert not {"pytorch_lightning", "wandb", "matplotlib"} & set(loaded)

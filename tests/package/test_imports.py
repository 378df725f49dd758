"""The mathematics is imported without Lightning, config parsers, tracking or plotting."""

import subprocess
import sys

LIGHT = ("lipschitz", "optim", "transport", "distributions", "networks", "robustness", "quality", "files", "evaluation")
HEAVY = ("pytorch_lightning", "lightning_fabric", "jsonargparse", "wandb", "matplotlib", "plotly")


def test_the_mathematics_is_imported_without_frameworks():
    code = (
        "import importlib, sys\n"
        f"for name in {LIGHT}:\n"
        "    importlib.import_module(f'wgan_lip.{name}')\n"
        f"    print(*(f'{{name}}: {{m}}' for m in {HEAVY} if m in sys.modules))\n"
        "assert all(f'wgan_lip.{name}' in sys.modules for name in " + f"{LIGHT})\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True)
    assert done.stdout.split() == []

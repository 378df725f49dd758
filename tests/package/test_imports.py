"""Packages import each other by their public names; the mathematics imports no Lightning, tracking or plotting."""

import ast
import subprocess
import sys
from pathlib import Path

import wgan_lip

LIGHT = ("lipschitz", "optim", "transport", "distributions", "networks", "robustness", "quality", "files", "evaluation")
HEAVY = ("pytorch_lightning", "lightning_fabric", "jsonargparse", "wandb", "matplotlib", "plotly")


def test_packages_import_public_names_of_each_other_only():
    """``from wgan_lip.transport.norm import Norm`` outside of transport: ``wgan_lip.transport`` must export it."""
    package, deep, names = Path(wgan_lip.__file__).parent, [], 0
    for path in sorted(package.rglob("*.py")):
        own = path.relative_to(package).parts[0]
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("wgan_lip."):
                parts = (node.module or "").split(".")[1:]
                names += 1
                if parts[0] != own and len(parts) > 1:
                    deep.append(f"{path.relative_to(package)}: {node.module}")
    assert names > 500
    assert deep == []


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

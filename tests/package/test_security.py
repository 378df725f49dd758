"""Nothing in the package runs what a file says; names in files and in the environment lead nowhere else."""

import ast
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.support.commands import CONFIGS

REPOSITORY = CONFIGS.parent
SOURCES = sorted(path for folder in ("wgan_lip", "scripts") for path in (REPOSITORY / folder).rglob("*.py"))

# By their full names, calls that run code, or may; and what makes them harmless, if anything.
ONLY_WITH = {"torch.load": ("weights_only", True), "numpy.load": ("allow_pickle", False)}
NEVER = {
    *("os.system", "os.popen", "subprocess.getoutput"),
    *("subprocess.getstatusoutput", "shutil.unpack_archive", "torch.hub.load", "torch.jit.load", "torch.package"),
    *("yaml.load", "yaml.load_all", "yaml.full_load", "yaml.unsafe_load", "yaml.Loader", "yaml.UnsafeLoader"),
    *("pickle.load", "pickle.loads", "pickle.Unpickler", "marshal.loads", "marshal.load", "shelve.open"),
    *("dill.load", "dill.loads", "joblib.load", "cloudpickle.load", "cloudpickle.loads", "pandas.read_pickle"),
    *("importlib.import_module", "pkgutil.resolve_name", "torch.export.load", "runpy.run_path", "runpy.run_module"),
}
BUILTIN = {"eval", "exec", "compile", "__import__", "breakpoint"}
# Whatever object they are called on.
METHODS = {"extractall", "extract", "all_gather_object", "broadcast_object_list", "recv", "result", "submission"}
EXPLAINED = {
    # The command table's own names.
    ("wgan_lip/cli/commands.py", "importlib.import_module"),
    # Names that were checked to be of known packages, and those packages.
    ("wgan_lip/cli/trusted.py", "pkgutil.resolve_name"),
    ("wgan_lip/cli/trusted.py", "importlib.import_module"),
    # What the line before has written, to compare it.
    ("wgan_lip/files/networks.py", "torch.export.load"),
    # Processes of one training trust each other.
    ("wgan_lip/training/ranks.py", ".all_gather_object"),
    ("wgan_lip/training/ranks.py", ".broadcast_object_list"),
    ("wgan_lip/training/ranks.py", ".recv"),
    # Bytes of a request that was refused, which are thrown away.
    ("wgan_lip/page/server.py", ".recv"),
    # From processes that this one started.
    ("wgan_lip/comparison/run.py", ".recv"),
    ("scripts/transport_bench/processes.py", ".recv"),
    # submitit's, of this comparison's own folder.
    ("wgan_lip/comparison/slurm.py", ".result"),
    ("wgan_lip/comparison/slurm.py", ".submission"),
}


def dangers(source: str) -> Iterator[str]:
    """What a source calls or mentions that could run code that it was not written with."""
    tree = ast.parse(source)
    known: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            known |= {name.asname: name.name for name in node.names if name.asname}
        elif isinstance(node, ast.ImportFrom) and node.module:
            known |= {name.asname or name.name: f"{node.module}.{name.name}" for name in node.names}
    calls = {id(node.func): node for node in ast.walk(tree) if isinstance(node, ast.Call)}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Name | ast.Attribute):
            continue
        first, dot, rest = ast.unparse(node).partition(".")
        name = known.get(first, first) + dot + rest
        call = calls.get(id(node))
        given = {word.arg: getattr(word.value, "value", None) for word in call.keywords} if call else {}
        if (
            name in NEVER
            or (call and name in BUILTIN)
            or (name in ONLY_WITH and given.get(ONLY_WITH[name][0]) is not ONLY_WITH[name][1])
        ):
            yield name
        if call and isinstance(node, ast.Attribute) and node.attr in METHODS:
            yield f".{node.attr}"
        if call and given.get("shell"):
            yield f"{name}(shell)"


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import torch\ntorch.load(path, map_location='cpu')", ["torch.load"]),
        ("import torch\ntorch.load(path, weights_only=False)", ["torch.load"]),
        ("import torch\ntorch.load(path, weights_only=flag)", ["torch.load"]),
        ("import torch\nread = torch.load", ["torch.load"]),
        ("from torch import load as read\nread(path)", ["torch.load"]),
        ("import torch\ntorch.load(path, weights_only=True)", []),
        ("import numpy as np\nnp.load(path)", ["numpy.load"]),
        ("import numpy as np\nnp.load(path, allow_pickle=False)", []),
        ("import yaml\nyaml.load(text, Loader=yaml.SafeLoader)", ["yaml.load"]),
        ("import yaml\nyaml.safe_load(text)", []),
        ("from pickle import loads\nloads(x)", ["pickle.loads"]),
        ("eval(text)", ["eval"]),
        ("network.eval()", []),
        ("import subprocess\nsubprocess.run(text, shell=True)", ["subprocess.run(shell)"]),
        ("import os\nos.system(text)", ["os.system"]),
        ("archive.extractall(folder)", [".extractall"]),
        ("from re import compile\ncompile(x)", []),
    ],
)
def test_the_search_finds_them(source, found):
    assert list(dangers(source)) == found


def test_no_file_s_content_is_run():
    found = {(path.relative_to(REPOSITORY).as_posix(), name) for path in SOURCES for name in dangers(path.read_text())}
    assert found == EXPLAINED


def test_code_in_arrays_and_tensors_is_not_run(tmp_path):
    from wgan_lip.files import load_samples

    class Harm:
        def __reduce__(self):
            return Path.touch, (tmp_path / "harm",)

    np.save(tmp_path / "a.npy", np.array([Harm()], dtype=object), allow_pickle=True)
    np.savez(tmp_path / "a.npz", x=np.array([Harm()], dtype=object))
    torch.save({"x": Harm()}, tmp_path / "a.pt")
    for name in ("a.npy", "a.npz", "a.pt"):
        with pytest.raises(ValueError, match=rf"{name} (holds Python objects|is truncated, damaged, or not)"):
            load_samples(tmp_path / name)
    assert not (tmp_path / "harm").exists()

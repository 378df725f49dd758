"""Files of networks: run by PyTorch without this package, and by ONNX Runtime."""

import subprocess
import sys
import zipfile

import numpy as np
import pytest
import torch
from torch import nn

from wgan_lip.files import networks as module
from wgan_lip.files import write_network
from wgan_lip.lipschitz import (
    FullSort,
    GroupSort,
    Householder,
    MaxMin,
    NormPool2d,
    OrthogonalConv2d,
    OrthogonalLinear,
    ScaledAvgPool2d,
    plain,
)
from wgan_lip.networks import ConvCritic, DCGANGenerator, MLPCritic, MLPGenerator, ResidualCritic

NETWORKS = {
    "mlp": (lambda: MLPCritic([2, 4], 16, 2, lipschitz_constant=5.0), (2, 4)),
    "groups": (lambda: MLPCritic([8], 12, 2, activation=lambda: GroupSort(3)), (8,)),
    "conv": (lambda: ConvCritic([1, 12, 12], [4, 8], [16]), (1, 12, 12)),
    "residual": (lambda: ResidualCritic([1, 8, 8], 4), (1, 8, 8)),
    "fullsort": (lambda: MLPCritic([8], 32, 2, activation=FullSort), (8,)),
    "householder": (lambda: MLPCritic([8], 12, 2, activation=Householder), (8,)),
    "generator": (lambda: MLPGenerator([1, 4, 4], 6, 16), (6,)),
    "dcgan": (lambda: DCGANGenerator([1, 8, 8], 6, 4), (6,)),
    "pools": (
        lambda: nn.Sequential(
            OrthogonalConv2d(1, 4, 3),
            ScaledAvgPool2d(2),
            MaxMin(),
            NormPool2d(2),
            nn.PixelUnshuffle(3),
            nn.Flatten(),
            OrthogonalLinear(36, 1),
        ),
        (1, 12, 12),
    ),
}
# An ONNX file takes seconds to write.
QUICK = (("mlp", False), ("mlp", True), ("conv", False))
ONNX = [
    pytest.param(name, relu, marks=() if (name, relu) in QUICK else pytest.mark.slow)
    for name in NETWORKS
    for relu in (False, True)
]
ALONE = """
import sys
# An import of it fails.
sys.modules["wgan_lip"] = None
import torch
network = torch.export.load(sys.argv[1]).module()
points = torch.load(sys.argv[2], weights_only=True)
torch.save([network(points), network(points[:1])], sys.argv[3])
"""


def drawn(shape: tuple[int, ...], n: int = 7) -> torch.Tensor:
    return torch.randn(n, *shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", NETWORKS)
def test_a_program_of_torch(name, tmp_path):
    build, shape = NETWORKS[name]
    network = build().eval()
    written = write_network(plain(network), tmp_path / "n.pt2", drawn(shape, 3), network)
    assert (written.path, written.points) == (tmp_path / "n.pt2", 3)
    assert written.difference < 1e-5
    with torch.no_grad():
        outputs = torch.export.load(written.path).module()(drawn(shape))
        torch.testing.assert_close(outputs, network(drawn(shape)), atol=1e-5, rtol=1e-5)
    assert [path.name for path in tmp_path.iterdir()] == ["n.pt2"]


def test_a_program_does_not_tell_where_it_was_made(tmp_path):
    written = write_network(plain(MLPCritic([8], 16, 2)), tmp_path / "n.pt2", drawn((8,)))
    with zipfile.ZipFile(written.path) as archive:
        assert {name.split("/")[0] for name in archive.namelist()} == {"n"}
        assert not any(b"site-packages" in archive.read(name) for name in archive.namelist())


def test_a_program_runs_where_this_package_is_not(tmp_path):
    build, shape = NETWORKS["conv"]
    network = build().eval()
    write_network(plain(network), tmp_path / "n.pt2", drawn(shape, 3), network)
    torch.save(drawn(shape), tmp_path / "points.pt")
    arguments = [tmp_path / name for name in ("n.pt2", "points.pt", "out.pt")]
    subprocess.run([sys.executable, "-c", ALONE, *map(str, arguments)], check=True, cwd=tmp_path)
    outputs, first = torch.load(tmp_path / "out.pt", weights_only=True)
    with torch.no_grad():
        torch.testing.assert_close(outputs, network(drawn(shape)), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(first, outputs[:1], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("name", "relu"), ONNX)
def test_onnx_runtime_says_the_same(name, relu, tmp_path):
    import onnx
    import onnxruntime

    build, shape = NETWORKS[name]
    network = build().eval()
    written = write_network(plain(network, relu), tmp_path / "n.onnx", drawn(shape, 3), network)
    session = onnxruntime.InferenceSession(written.path, providers=["CPUExecutionProvider"])
    with torch.no_grad():
        for n in (1, 7):
            (outputs,) = session.run(["y"], {"x": drawn(shape, n).numpy()})
            np.testing.assert_allclose(outputs, network(drawn(shape, n)).numpy(), atol=1e-5, rtol=1e-5)
    # Nor does it tell where it was made.
    assert b"/torch/" not in written.path.read_bytes()
    if name == "mlp" and relu:
        kinds = {node.op_type for node in onnx.load(written.path).graph.node}
        assert kinds <= {"Gemm", "MatMul", "Add", "Relu", "Reshape", "Flatten", "Transpose"}
    assert [path.name for path in tmp_path.iterdir()] == ["n.onnx"]


def test_bare_weights(tmp_path):
    network = MLPCritic([8], 16, 2).eval()
    written = write_network(plain(network), tmp_path / "n.pt", drawn((8,)), network)
    state = torch.load(written.path, weights_only=True)
    assert list(state) == [f"{i}.{name}" for i in (1, 3, 5) for name in ("weight", "bias")]
    mine = nn.Sequential(nn.Flatten(), nn.Linear(8, 16), MaxMin(), nn.Linear(16, 16), MaxMin(), nn.Linear(16, 1))
    mine.load_state_dict(state)
    torch.testing.assert_close(mine(drawn((8,))), network(drawn((8,))), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("suffix", [".pt2", ".pt"])
def test_float64_too(suffix, tmp_path):
    network = MLPCritic([8], 16, 2).double().eval()
    assert write_network(plain(network), tmp_path / f"n{suffix}", drawn((8,)).double(), network).difference < 1e-13


def test_a_file_of_other_outputs_is_not_written(tmp_path):
    """The file that is there stays as it is."""
    network, path = plain(MLPCritic([8], 16, 2)), tmp_path / "n.pt"
    path.write_text("before")
    for change, message in ((1e-3, "by 0.001"), (torch.nan, "by nan")):
        with pytest.raises(ValueError, match=f"was not written: its outputs would differ from the network's {message}"):
            write_network(network, path, drawn((8,)), lambda x, c=change: network(x) + c)
        assert path.read_text() == "before"
    with pytest.raises(ValueError, match="differ from the network's by inf"):
        write_network(network, path, drawn((8,)), lambda x: network(x)[:, 0])
    assert [file.name for file in tmp_path.iterdir()] == ["n.pt"]


def test_bad_arguments_are_named(tmp_path, monkeypatch):
    network, points = plain(MLPCritic([8], 16, 2)), drawn((8,))
    for path, inputs, message in (
        (tmp_path / "n.h5", points, r"must end in one of .pt2, .onnx, .pt; got .*n\.h5"),
        (tmp_path / "none" / "n.pt", points, r"n\.pt must lie in an existing folder; there is no .*none"),
        (tmp_path / "n.pt", points[:1], "points must be at least 2 inputs; got 1"),
    ):
        with pytest.raises(ValueError, match=message):
            write_network(network, path, inputs)
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"requires onnx and onnxscript: pip install 'wgan-lip\[export\]'"):
        write_network(network, tmp_path / "n.onnx", points)

"""Networks written to files for use without this package: PyTorch programs, ONNX, or weights alone."""

import copy
import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from wgan_lip.replaced import replacing

# The largest accepted difference of outputs: absolute, or relative to the largest output if that exceeds 1.
_TOLERANCE = 1e-5


@dataclass(frozen=True)
class WrittenNetwork:
    """A file that was read back and gave the same outputs as the network.

    Attributes:
        path: the file.
        difference: the largest difference of an output from the network's.
        points: the number of inputs compared.
    """

    path: Path
    difference: float
    points: int


def write_network(
    network: nn.Module, path: Path, points: Tensor, reference: Callable[[Tensor], Tensor] | None = None
) -> WrittenNetwork:
    """Write a network to a file, after checking that the content, read back, gives the same outputs.

    The suffix chooses the format: ``.pt2``, a program of PyTorch's operators (``torch.export``), which requires only
    PyTorch; ``.onnx``, with the input ``x`` and the output ``y``; ``.pt``, the ``state_dict`` alone, which loads with
    ``weights_only=True`` into an equal network. All accept batches of any size.

    Args:
        network: on the CPU, in evaluation mode.
        path: the file; an existing one is replaced only if the outputs agree.
        points: inputs to compare on, one by one and in a batch, shape (n, ...) with n >= 2.
        reference: computes the expected outputs; the network itself if None.

    Raises:
        ValueError: another suffix, a missing folder or package, fewer than two points, or outputs that differ by more
            than 1e-5 (of the largest output, if that exceeds 1).
        OSError: the file cannot be written.
    """
    check_suffix(path)
    if len(points) < 2:
        raise ValueError(f"points must be at least 2 inputs; got {len(points)}")
    write, read = _FORMATS[path.suffix]
    # In memory: PyTorch's own writer ends the process if the disk is full.
    content = write(network, points, path.stem)
    with torch.no_grad():
        # Copies, because networks may change their inputs in place.
        expected = (reference or network)(points.clone())
        run = read(network, content)
        difference = max(_difference(run(points.clone()), expected), _difference(run(points[:1].clone()), expected[:1]))
    # Not ">", which NaN would pass.
    if not difference <= _TOLERANCE * max(1.0, float(expected.abs().max())):
        raise ValueError(f"{path} was not written: its outputs would differ from the network's by {difference:.3g}")
    with replacing(path) as file:
        file.write(content)
    return WrittenNetwork(path, difference, len(points))


def check_suffix(path: Path) -> None:
    """Check that a network can be written to a file.

    Args:
        path: the file.

    Raises:
        ValueError: another suffix than .pt2, .onnx and .pt, or a missing package or folder.
    """
    if path.suffix not in _FORMATS:
        raise ValueError(f"the output file must end in one of {', '.join(_FORMATS)}; got {path}")
    missing = [name for name in ("onnx", "onnxscript") if path.suffix == ".onnx" and find_spec(name) is None]
    if missing:
        raise ValueError(f"{path} requires {' and '.join(missing)}: pip install 'wgan-lip[export]'")
    if not path.absolute().parent.is_dir():
        raise ValueError(f"{path.name} must lie in an existing folder; there is no {path.absolute().parent}")


def _difference(outputs: Tensor, expected: Tensor) -> float:
    if outputs.shape != expected.shape:
        return float("inf")
    return float((outputs.double() - expected.double()).abs().max())


def _program(network: nn.Module, points: Tensor) -> torch.export.ExportedProgram:
    program = torch.export.export(network, (points,), dynamic_shapes=({0: torch.export.Dim("batch")},))
    for node in program.graph.nodes:
        # It names source files of this machine.
        node.meta.pop("stack_trace", None)
    return program


def _write_program(network: nn.Module, points: Tensor, name: str) -> bytes:
    saved, content = io.BytesIO(), io.BytesIO()
    torch.export.save(_program(network, points), saved)
    # Archives written to memory all have one folder name; readers accept any.
    with zipfile.ZipFile(saved) as archive, zipfile.ZipFile(content, "w") as renamed:
        for member in archive.namelist():
            renamed.writestr(zipfile.ZipInfo(f"{name}/{member.partition('/')[2]}"), archive.read(member))
    return content.getvalue()


def _read_program(network: nn.Module, content: bytes) -> Callable[[Tensor], Tensor]:
    return torch.export.load(io.BytesIO(content)).module()


def _write_onnx(network: nn.Module, points: Tensor, name: str) -> bytes:
    made = torch.onnx.export(
        _program(network, points), (), input_names=["x"], output_names=["y"], dynamo=True, verbose=False
    )
    return cast(torch.onnx.ONNXProgram, made).model_proto.SerializeToString()


def _read_onnx(network: nn.Module, content: bytes) -> Callable[[Tensor], Tensor]:
    # ONNX's reference evaluator: slow, but it defines the meaning of the file.
    from onnx.reference import ReferenceEvaluator

    evaluator = ReferenceEvaluator(content)

    def run(points: Tensor) -> Tensor:
        outputs: Any = evaluator.run(None, {"x": points.numpy()})
        return torch.from_numpy(outputs[0])

    return run


def _write_weights(network: nn.Module, points: Tensor, name: str) -> bytes:
    content = io.BytesIO()
    torch.save(network.state_dict(), content)
    return content.getvalue()


def _read_weights(network: nn.Module, content: bytes) -> Callable[[Tensor], Tensor]:
    # Into a copy with zeroed weights, so that missing ones are noticed.
    other = copy.deepcopy(network)
    for tensor in other.state_dict().values():
        tensor.zero_()
    other.load_state_dict(torch.load(io.BytesIO(content), weights_only=True))
    return other


_FORMATS = {
    ".pt2": (_write_program, _read_program),
    ".onnx": (_write_onnx, _read_onnx),
    ".pt": (_write_weights, _read_weights),
}

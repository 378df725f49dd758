"""The IDX format of MNIST and its kin."""

import gzip
import math
import struct
import zlib
from pathlib import Path

import torch
from torch import Tensor

_UNSIGNED_BYTE = 8


def read_idx(path: Path, dimensions: int) -> Tensor:
    """An array of unsigned bytes. (torchvision's reader opens no .gz, and takes header and length unchecked.)

    Args:
        path: an existing file; packed if it ends in .gz.
        dimensions: that the array must have.

    Returns:
        uint8, of the shape in the file's header.

    Raises:
        ValueError: a damaged file, or another kind.

    Source:
        LeCun, Cortes, Burges, "The MNIST database of handwritten digits", 1998: 0, 0, type, number of dimensions; each
        size in 32 bits, big-endian; the data.
    """
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"{path} is damaged: {error}; fetch it again") from None
    start = 4 + 4 * dimensions
    if len(content) < start or content[:4] != bytes((0, 0, _UNSIGNED_BYTE, dimensions)):
        raise ValueError(
            f"{path} is damaged, or not an IDX file of unsigned bytes in {dimensions} dimension{'s' * (dimensions > 1)}"
        )
    shape = struct.unpack(f">{dimensions}I", content[4:start])
    if len(content) - start != math.prod(shape) or not math.prod(shape):
        raise ValueError(
            f"{path} is damaged: its header says {' x '.join(map(str, shape))} bytes, and it holds "
            f"{len(content) - start}; fetch it again"
        )
    return torch.frombuffer(bytearray(content), dtype=torch.uint8, offset=start).view(shape)

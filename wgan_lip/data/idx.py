"""The IDX format of MNIST and its kin."""

import gzip
import math
import struct
import zlib
from pathlib import Path

import torch
from torch import Tensor

from wgan_lip.unpacking import check_unpacked

_UNSIGNED_BYTE = 8


def read_idx(path: Path, dimensions: int) -> Tensor:
    """An array of unsigned bytes. (torchvision's reader opens no .gz, and takes header and length unchecked.)

    Args:
        path: an existing file; packed if it ends in .gz.
        dimensions: that the array must have.

    Returns:
        uint8, of the shape in the file's header.

    Raises:
        ValueError: a damaged file, another kind, or one that would unpack too far.

    Source:
        LeCun, Cortes, Burges, "The MNIST database of handwritten digits", 1998: 0, 0, type, number of dimensions; each
        size in 32 bits, big-endian; the data.
    """
    magic, start = bytes((0, 0, _UNSIGNED_BYTE, dimensions)), 4 + 4 * dimensions
    try:
        content = _unpacked(path, magic, start) if path.suffix == ".gz" else path.read_bytes()
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"{path} is damaged: {error}; fetch it again") from None
    if len(content) < start or content[:4] != magic:
        raise ValueError(
            f"{path} is damaged, or not an IDX file of unsigned bytes in {dimensions} dimension{'s' * (dimensions > 1)}"
        )
    shape = struct.unpack(f">{dimensions}I", content[4:start])
    if len(content) - start != math.prod(shape) or not math.prod(shape):
        raise ValueError(
            f"{path} is damaged: its header says {' x '.join(map(str, shape))} bytes, and it holds "
            f"{len(content) - start}{' or more' * (len(content) - start > math.prod(shape))}; fetch it again"
        )
    return torch.frombuffer(bytearray(content), dtype=torch.uint8, offset=start).view(shape)


def _unpacked(path: Path, magic: bytes, start: int) -> bytes:
    """What is in a .gz file; no more than a byte beyond what an IDX file's header promises."""
    with gzip.open(path) as file:
        head = file.read(start)
        if len(head) < start or head[:4] != magic:
            return head
        promised = math.prod(struct.unpack(f">{(start - 4) // 4}I", head[4:]))
        check_unpacked(path, path.stat().st_size, promised)
        return head + file.read(promised + 1)

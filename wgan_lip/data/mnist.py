"""MNIST, Fashion-MNIST and their file format, IDX."""

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import Any, ClassVar

import torch
import torchvision
from torch import Tensor

from wgan_lip.data.images import Images
from wgan_lip.data.module import Split
from wgan_lip.data.published import PublishedImages
from wgan_lip.unpacking import check_unpacked

_UNSIGNED_BYTE = 8


class MNIST(PublishedImages):
    """60,000 handwritten digits of 28×28 grey pixels to train, 10,000 held out: ``x / 127.5 - 1``, in memory.

    The four IDX files (``train-images-idx3-ubyte`` and so on), compressed (.gz) or not, lie in ``data_dir`` itself, or
    in its folder ``MNIST/raw``, where torchvision puts them; their checksums are not compared, as copies of others are
    common. The arguments are those of :class:`PublishedImages`.

    Source:
        LeCun, Bottou, Bengio, Haffner, "Gradient-based learning applied to document recognition", Proc. IEEE, 1998.
    """

    source: Any = torchvision.datasets.MNIST
    parts: ClassVar[dict[Split, str]] = {"train": "train", "heldout": "t10k"}

    @property
    def folders(self) -> list[Path]:
        """The folders in which the files are looked for, in this order."""
        return [self.folder / self.source.__name__ / "raw", self.folder]

    def fetch(self) -> None:
        if all(self._missing_files(folder) for folder in self.folders):
            self.source(self.folder, download=True)

    def read_split(self, name: Split) -> Images:
        # The folder in which the fewest files are missing; the first of equals.
        folder = min(self.folders, key=lambda folder: len(self._missing_files(folder)))
        if missing := self._missing_files(folder):
            raise self.missing(f"{missing[0]}[.gz]", self.folders)
        prefix = self.parts[name]
        labels = read_idx(_find(folder, f"{prefix}-labels-idx1-ubyte"), 1).long() if self.labels else None
        pixels = read_idx(_find(folder, f"{prefix}-images-idx3-ubyte"), 3).unsqueeze(1)
        return Images(pixels, labels, tuple(self.source.classes))

    def _missing_files(self, folder: Path) -> list[str]:
        kinds = ("images-idx3", "labels-idx1") if self.labels else ("images-idx3",)
        names = [f"{prefix}-{kind}-ubyte" for prefix in self.parts.values() for kind in kinds]
        return [name for name in names if not _find(folder, name).exists()]


class FashionMNIST(MNIST):
    """60,000 articles of clothing of 28×28 grey pixels to train, 10,000 held out: ``x / 127.5 - 1``, in memory.

    The files are named as those of :class:`MNIST`, in ``data_dir`` or its folder ``FashionMNIST/raw``. Without
    ``data_dir``, Debian's package ``dataset-fashion-mnist`` comes first, if it is complete. The arguments are those of
    :class:`PublishedImages`.

    Source:
        Xiao, Rasul, Vollgraf, "Fashion-MNIST: a novel image dataset for benchmarking machine learning algorithms",
        2017.
    """

    source: Any = torchvision.datasets.FashionMNIST
    debian = Path("/usr/share/datasets/fashion-mnist")
    """The folder of Debian's package dataset-fashion-mnist."""

    @property
    def folders(self) -> list[Path]:
        return super().folders if self.data_dir is not None else [self.debian, *super().folders]

    @property
    def remedy(self) -> str:
        return f"{super().remedy}, or install Debian's package dataset-fashion-mnist and leave data_dir out"


def read_idx(path: Path, dimensions: int) -> Tensor:
    """Read an array of unsigned bytes. (torchvision's reader opens no .gz, and checks neither header nor length.)

    Args:
        path: an existing file; compressed if it ends in .gz.
        dimensions: the number of dimensions that the array must have.

    Returns:
        uint8, of the shape in the file's header.

    Raises:
        ValueError: a damaged file, one of another kind, or one that is compressed too strongly.

    Source:
        LeCun, Cortes, Burges, "The MNIST database of handwritten digits", 1998: 0, 0, type, number of dimensions; each
        size in 32 bits, big-endian; the data.
    """
    magic, start = bytes((0, 0, _UNSIGNED_BYTE, dimensions)), 4 + 4 * dimensions
    try:
        content = _decompress(path, magic, start) if path.suffix == ".gz" else path.read_bytes()
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


def _decompress(path: Path, magic: bytes, start: int) -> bytes:
    """Decompress a .gz file, at most one byte more than the IDX header in it announces."""
    with gzip.open(path) as file:
        head = file.read(start)
        if len(head) < start or head[:4] != magic:
            return head
        announced = math.prod(struct.unpack(f">{(start - 4) // 4}I", head[4:]))
        check_unpacked(path, path.stat().st_size, announced)
        return head + file.read(announced + 1)


def _find(folder: Path, name: str) -> Path:
    plain = folder / name
    return plain if plain.exists() else folder / f"{name}.gz"

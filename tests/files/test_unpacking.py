"""What is compressed a thousandfold is refused before it is unpacked; what data really compress to is not."""

import gzip
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest
import torch

from wgan_lip import unpacking
from wgan_lip.data import read_idx
from wgan_lip.distributions.funnels import read_funnels
from wgan_lip.files import load_samples

ZEROS = np.zeros((300_000, 16))


def packed(path):
    """A file of PyTorch's whose members are compressed, as PyTorch itself writes none."""
    torch.save(torch.zeros(4, 1_200_000), path)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def lzma(path):
    np.savez(path, x=ZEROS)
    with zipfile.ZipFile(path) as archive:
        content = archive.read("x.npy")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("x.npy", content)


_FOLD = r"would grow from .* bytes when decompressed, and at most 200-fold .* save it uncompressed"
_FEWER = r"it has a tensor of 10000000 numbers, of which \d+ are stored: save \.clone\(\) of an expanded tensor"
# Of PyTorch's files nothing is unpacked: it compresses none, and stores every number of a tensor.
SAID = {
    "packed.pt": r"is not as torch\.save writes it",
    "expanded.pt": _FEWER,
    "expanded.pth": _FEWER,
}
BOMBS = {
    "deflated.npz": lambda path: np.savez_compressed(path, x=ZEROS),
    "second.npz": lambda path: np.savez_compressed(path, a=np.ones(3), x=ZEROS),
    "lzma.npz": lzma,
    "packed.pt": packed,
    "expanded.pt": lambda path: torch.save(torch.zeros(1).expand(1000, 10_000), path),
    "expanded.pth": lambda path: torch.save({"x": torch.zeros(1000, 1).expand(1000, 10_000)}, path),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_thousandfold_is_refused_before_it_is_unpacked(name, tmp_path):
    BOMBS[name](tmp_path / name)
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=SAID.get(name, _FOLD)):
            load_samples(tmp_path / name, "x" if name == "second.npz" else None)
        assert tracemalloc.get_traced_memory()[1] < 8 * 2**20
    finally:
        tracemalloc.stop()


def test_other_readers_refuse_it_too(tmp_path):
    np.savez_compressed(tmp_path / "funnels.npz", centers=ZEROS, bias=np.zeros(4))
    with pytest.raises(ValueError, match="would grow from"):
        read_funnels(tmp_path / "funnels.npz")
    header = bytes((0, 0, 8, 3)) + struct.pack(">3I", 30_000, 28, 28)
    (tmp_path / "idx.gz").write_bytes(gzip.compress(header + bytes(30_000 * 28 * 28)))
    with pytest.raises(ValueError, match="would grow from"):
        read_idx(tmp_path / "idx.gz", 3)
    # A small promise, and much behind it: no more is unpacked than what was promised.
    header = bytes((0, 0, 8, 1)) + struct.pack(">I", 10)
    (tmp_path / "small.gz").write_bytes(gzip.compress(header + bytes(10**8)))
    with pytest.raises(ValueError, match="its header says 10 bytes, and it holds 11"):
        read_idx(tmp_path / "small.gz", 1)


def test_what_data_compress_to_is_unpacked(tmp_path):
    rng = np.random.default_rng(0)
    # Drawings: black strokes on white.
    drawings = np.full((22_000, 28, 28), 255, dtype=np.uint8)
    for _ in range(4):
        drawings[np.arange(22_000), rng.integers(28, size=22_000), rng.integers(28, size=22_000)] = 0
    np.savez_compressed(tmp_path / "drawings.npz", drawings)
    assert drawings.nbytes > unpacking._HARMLESS
    assert drawings.nbytes > 30 * (tmp_path / "drawings.npz").stat().st_size
    assert load_samples(tmp_path / "drawings.npz").values.shape == drawings.shape
    # Constants, of a size that harms nobody; and of any size where they are not compressed.
    np.savez_compressed(tmp_path / "zeros.npz", ZEROS[:100_000])
    assert not load_samples(tmp_path / "zeros.npz").values.any()
    np.savez(tmp_path / "stored.npz", ZEROS)
    np.save(tmp_path / "zeros.npy", ZEROS)
    assert load_samples(tmp_path / "stored.npz").values.shape == load_samples(tmp_path / "zeros.npy").values.shape
    torch.save(torch.zeros(5_000_000), tmp_path / "zeros.pt")
    assert len(load_samples(tmp_path / "zeros.pt").values) == 5_000_000


def test_what_memory_does_not_hold_is_refused(tmp_path, monkeypatch):
    np.savez(tmp_path / "a.npz", ZEROS)
    monkeypatch.setattr(unpacking, "available_memory", lambda: 2.0**24)
    with pytest.raises(ValueError, match=r"a.npz requires 0.0 GiB of memory, and 0.0 GiB are free"):
        load_samples(tmp_path / "a.npz")


@pytest.mark.parametrize("suffix", ["npy", "npz"])
def test_a_header_that_promises_more_than_there_is(suffix, tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((10, 100_000_000_000 // 10), dtype="V0"))
    content = (tmp_path / "a.npy").read_bytes().replace(b"'|V0'", b"'<f8'") + bytes(80)
    (tmp_path / "a.npy").write_bytes(content)
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("x.npy", content)
    with pytest.raises(ValueError, match=f"a.{suffix} is damaged"):
        load_samples(tmp_path / f"a.{suffix}")

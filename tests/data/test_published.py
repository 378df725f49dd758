"""Published sets: their pixels, where they are sought, and what is wrong with their files."""

import gzip
import re
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
import torch
import torchvision

from tests.data.made import HELDOUT, MADE, TRAIN, idx, made_images, made_labels, write_idx
from wgan_lip.data import CIFAR10, MNIST, STL10, SVHN, FashionMNIST

PUBLISHED = {"MNIST": MNIST, "FashionMNIST": FashionMNIST, "CIFAR10": CIFAR10, "SVHN": SVHN, "STL10": STL10}
LABELS, IMAGES = "train-labels-idx1-ubyte", "train-images-idx3-ubyte"


@pytest.fixture(autouse=True)
def nowhere(monkeypatch, tmp_path):
    """No set that lies on this machine is found."""
    monkeypatch.setenv("WGAN_LIP_DATA", str(tmp_path / "cache"))
    monkeypatch.setattr(FashionMNIST, "debian", tmp_path / "debian")


def scaled(images: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(images.transpose(0, 3, 1, 2).astype(np.float32) / np.float32(127.5) - 1)


@pytest.mark.parametrize(
    ("name", "shape"),
    [("MNIST", (28, 28, 1)), ("FashionMNIST", (28, 28, 1)), ("CIFAR10", (32, 32, 3)), ("SVHN", (32, 32, 3))],
)
def test_pixels_and_labels_are_those_of_the_files(name, shape, tmp_path):
    data = MADE[name](tmp_path, labels=True)
    for split, n, seed in (("train", TRAIN, 0), ("heldout", HELDOUT, 1)):
        samples = data.split(split)
        assert torch.equal(samples.labels, torch.from_numpy(made_labels(n)).long())
        joint = samples.__getitems__(list(range(n)))
        assert torch.equal(joint[:, : shape[2]], scaled(made_images(n, *shape, seed)))
    assert samples.pixels.dtype == torch.uint8


@pytest.mark.parametrize(("part", "n"), [("train", TRAIN), ("unlabeled", 20), ("train+unlabeled", TRAIN + 20)])
def test_stl10_trains_on_any_part(part, n, tmp_path):
    data = MADE["STL10"](tmp_path, image_size=None, part=part)
    expected = {"train": made_images(TRAIN, 96, 96, 3, 0), "unlabeled": made_images(20, 96, 96, 3, 2)}
    images = np.concatenate([expected[name] for name in part.split("+")])
    samples = data.split("train").__getitems__(list(range(n)))
    assert samples.is_contiguous()
    assert torch.equal(samples, scaled(images))
    assert data.size("heldout") == HELDOUT


def test_stl10_refuses_labels_of_unlabeled_images():
    for part in ("unlabeled", "train+unlabeled"):
        with pytest.raises(
            ValueError, match="labels=True requires part='train': STL10's unlabeled images have no labels; got part="
        ):
            STL10(labels=True, part=part)
    with pytest.raises(ValueError, match=r"part must be 'train', 'unlabeled' or 'train\+unlabeled'; got part='extra'"):
        STL10(part="extra")


@pytest.mark.parametrize("pack", [False, True])
@pytest.mark.parametrize("inside", ["", "FashionMNIST/raw"])
def test_idx_files_are_found_packed_or_not_in_both_layouts(pack, inside, tmp_path):
    write_idx(tmp_path / "here" / inside, pack)
    data = FashionMNIST(str(tmp_path / "here"), labels=True)
    assert torch.equal(data.draw("train", TRAIN, torch.Generator()).sort(0).values[:, 0], _sorted_pixels())


def _sorted_pixels() -> torch.Tensor:
    return scaled(made_images(TRAIN, 28, 28, 1, 0)).sort(0).values[:, 0]


def test_the_named_folder_comes_before_debians_and_that_before_the_cache(tmp_path):
    for folder, n in (("cache", 11), ("debian", 12), ("named", 13)):
        write_idx(tmp_path / folder, pack=True)
        for kind in ("train", "t10k"):
            images = made_images(n, 28, 28, 1, n)[..., 0]
            (tmp_path / folder / f"{kind}-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(images)))
    assert FashionMNIST(str(tmp_path / "named")).size("train") == 13
    assert FashionMNIST().size("train") == 12
    # A folder that is not complete is passed over.
    (tmp_path / "debian" / "t10k-images-idx3-ubyte.gz").unlink()
    assert FashionMNIST().size("train") == 11
    assert MNIST().size("train") == 11


def test_labels_are_needed_only_where_they_are_wanted(tmp_path):
    write_idx(tmp_path, pack=False)
    (tmp_path / LABELS).unlink()
    assert MNIST(str(tmp_path)).size("train") == TRAIN
    with pytest.raises(FileNotFoundError, match=rf"MNIST was not found: no {LABELS}\[\.gz\] in {tmp_path}/MNIST/raw, "):
        MNIST(str(tmp_path), labels=True).setup()


@pytest.mark.parametrize("name", PUBLISHED)
def test_what_is_not_there_is_named_with_the_remedy(name, tmp_path):
    for arguments, sought in (({}, "cache"), ({"data_dir": str(tmp_path / "elsewhere")}, "elsewhere")):
        with pytest.raises(FileNotFoundError, match=rf"^{name} was not found: no .*{sought}.*; set data_dir") as error:
            PUBLISHED[name](**arguments).setup()
        assert "download=True" in str(error.value)
        assert ("dataset-fashion-mnist" in str(error.value)) == (name == "FashionMNIST")


def test_the_cache_is_in_the_home_folder(monkeypatch, tmp_path):
    monkeypatch.delenv("WGAN_LIP_DATA")
    monkeypatch.setenv("HOME", str(tmp_path))
    write_idx(tmp_path / ".cache" / "wgan_lip" / "MNIST" / "raw", pack=False)
    assert MNIST().size("train") == TRAIN
    assert MNIST("~/.cache/wgan_lip").size("train") == TRAIN


def fake_download(url: str, download_root: str, filename: str, md5: str) -> None:
    if not (Path(download_root) / IMAGES).exists():
        write_idx(Path(download_root), pack=False)


def test_torchvision_downloads_once_and_only_what_is_missing(monkeypatch, tmp_path):
    calls = []

    def record(*args: object, **kwargs: object) -> None:
        calls.append(kwargs["filename"])
        fake_download(*args, **kwargs)

    monkeypatch.setattr(torchvision.datasets.mnist, "download_and_extract_archive", record)
    data = FashionMNIST(download=True, labels=True)
    data.prepare_data()
    assert data.size("train") == TRAIN
    assert len(calls) == 4
    assert FashionMNIST(download=True).size("heldout") == HELDOUT
    assert len(calls) == 4
    assert (tmp_path / "cache" / "FashionMNIST" / "raw" / IMAGES).exists()
    write_idx(tmp_path / "debian", pack=True)
    (tmp_path / "cache" / "FashionMNIST" / "raw" / IMAGES).unlink()
    assert FashionMNIST(download=True).size("train") == TRAIN
    assert len(calls) == 4


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_download_that_fails_is_one_error_with_the_remedy(name, monkeypatch, tmp_path):
    def unreachable(*args: object, **kwargs: object) -> None:
        raise URLError("no route to host")

    for module in ("mnist", "cifar", "stl10"):
        monkeypatch.setattr(getattr(torchvision.datasets, module), "download_and_extract_archive", unreachable)
    monkeypatch.setattr(torchvision.datasets.svhn, "download_url", unreachable)
    with pytest.raises(
        ValueError, match=f"(?s){name} could not be downloaded to {tmp_path}/cache: .*no route to host"
    ) as error:
        PUBLISHED[name](download=True).setup()
    assert "set data_dir to its folder" in str(error.value)


def damage(name: str, content: bytes) -> bytes:
    return {
        "cut": content[:-7],
        "longer": content + b"\0",
        "header": content[:5],
        "empty": b"",
        "dimensions": content[:3] + bytes([content[3] + 1]) + content[4:],
        "floats": content[:2] + b"\x0d" + content[3:],
        "nothing": idx(np.zeros((0, 28, 28), np.uint8)),
    }[name]


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("cut", f"is damaged: its header says {TRAIN} x 28 x 28 bytes, and it holds {TRAIN * 784 - 7}; fetch it again"),
        ("longer", f"it holds {TRAIN * 784 + 1}"),
        ("header", "is damaged, or not an IDX file of unsigned bytes in 3 dimensions"),
        ("empty", "is damaged, or not an IDX file"),
        ("dimensions", "is damaged, or not an IDX file"),
        ("floats", "is damaged, or not an IDX file"),
        ("nothing", "its header says 0 x 28 x 28 bytes, and it holds 0"),
    ],
)
@pytest.mark.parametrize("pack", [False, True])
def test_damaged_idx_files_are_named(kind, message, pack, tmp_path):
    write_idx(tmp_path, pack)
    path = tmp_path / f"{IMAGES}{'.gz' * pack}"
    content = damage(kind, gzip.decompress(path.read_bytes()) if pack else path.read_bytes())
    path.write_bytes(gzip.compress(content) if pack else content)
    with pytest.raises(ValueError, match=re.escape(f"{path} ") + ".*" + re.escape(message)):
        MNIST(str(tmp_path)).setup()


def test_a_damaged_gz_is_named_wherever_it_is_cut(tmp_path):
    write_idx(tmp_path, pack=True)
    path = tmp_path / f"{LABELS}.gz"
    whole = path.read_bytes()
    changed = whole[:-6] + bytes([whole[-6] ^ 1]) + whole[-5:]
    for content in (*(whole[:length] for length in range(len(whole))), b"no" + whole, changed):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=re.escape(str(path))):
            MNIST(str(tmp_path), labels=True).setup()


def test_labels_that_do_not_fit_their_images_are_named(tmp_path):
    write_idx(tmp_path, pack=False)
    for labels, message in (
        (made_labels(TRAIN - 1), f"MNIST's train split holds {TRAIN - 1} labels for {TRAIN} images"),
        (made_labels(TRAIN) + 1, "MNIST's train split must have labels in 0..9; got 1..10"),
    ):
        (tmp_path / LABELS).write_bytes(idx(labels))
        with pytest.raises(ValueError, match=message):
            MNIST(str(tmp_path), labels=True).setup()


def test_splits_of_two_sizes_are_named(tmp_path):
    write_idx(tmp_path, pack=False)
    (tmp_path / "t10k-images-idx3-ubyte").write_bytes(idx(made_images(5, 14, 28, 1, 0)[..., 0]))
    with pytest.raises(
        ValueError, match=r"MNIST: images must be of one size .*\(1, 28, 28\) in train and \(1, 14, 28\)"
    ):
        MNIST(str(tmp_path)).setup()
    assert MNIST(str(tmp_path), image_size=14).sample_shape == (1, 14, 14)


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("CIFAR10", "cifar-10-batches-py/data_batch_3"),
        ("CIFAR10", "cifar-10-batches-py/test_batch"),
        ("CIFAR10", "cifar-10-batches-py/batches.meta"),
        ("SVHN", "train_32x32.mat"),
        ("SVHN", "test_32x32.mat"),
        ("STL10", "stl10_binary/train_X.bin"),
        ("STL10", "stl10_binary/test_y.bin"),
    ],
)
def test_files_with_another_checksum_are_named_and_not_opened(name, file, tmp_path):
    data = MADE[name](tmp_path)
    path = tmp_path / file
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ValueError, match=rf"{file} is damaged, or another file: its MD5 checksum is not the published"):
        data.setup()
    path.unlink()
    with pytest.raises(FileNotFoundError, match=rf"{name} was not found: no {path.name} in {path.parent}"):
        data.setup()


def test_the_published_checksums_are_in_force(tmp_path):
    for name in ("CIFAR10", "SVHN", "STL10"):
        (tmp_path / name).mkdir()
        MADE[name](tmp_path / name)
        with pytest.raises(ValueError, match="is damaged, or another file"):
            PUBLISHED[name](str(tmp_path / name)).setup()


@pytest.mark.skipif(
    not Path("/usr/share/datasets/fashion-mnist").is_dir(), reason="Debian's package dataset-fashion-mnist"
)
def test_debians_fashion_mnist_is_found_by_itself(monkeypatch):
    monkeypatch.setattr(FashionMNIST, "debian", Path("/usr/share/datasets/fashion-mnist"))
    data = FashionMNIST(labels=True, batch_size=128)
    assert (data.size("train"), data.size("heldout")) == (60_000, 10_000)
    for split in ("train", "heldout"):
        # The set is balanced.
        assert data.split(split).labels.bincount().tolist() == [data.size(split) // 10] * 10
    assert data.draw("train", 2048, torch.Generator()).shape == (2048, 11, 28, 28)
    # Published mean of the training pixels: 0.2860 of white.
    assert float(data.split("train").pixels.float().mean()) / 255 == pytest.approx(0.2860, abs=5e-5)

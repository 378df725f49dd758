"""Folders of images and of archives: splits, classes, and what is wrong with them."""

import io
import re
import tarfile

import numpy as np
import pytest
import torch
from PIL import Image

from tests.data.made import CLASSES, HELDOUT, MADE, TRAIN, encoded, made_images, write_folder, write_shard
from wgan_lip.data import ImageFolder, ImageShards

IMAGE = made_images(1, 32, 32, 3, 0)[0]
FLAT = [encoded(image) for image in made_images(20, 32, 32, 3, 0)]


def write_flat(folder, odd=None, name="0007.png"):
    """20 images without classes; ``odd`` in place of one."""
    folder.mkdir(exist_ok=True)
    for index, content in enumerate(FLAT):
        (folder / f"{index:04d}.png").write_bytes(content)
    if odd is not None:
        (folder / name).write_bytes(odd)
    return folder


def write_flat_shard(folder, odd=None, name="0007.png"):
    """The same in an archive."""
    members = {f"{index:04d}.png": content for index, content in enumerate(FLAT)}
    write_shard(folder / "a.tar", members | ({name: odd} if odd is not None else {}))
    return folder


KINDS = pytest.mark.parametrize(("kind", "write"), [(ImageFolder, write_flat), (ImageShards, write_flat_shard)])


def all_of(data):
    return [data.split(name)[i] for name in ("train", "heldout") for i in range(data.size(name))]


def as_bytes(samples):
    return sorted(((sample + 1) * 127.5).round().to(torch.uint8).numpy().tobytes() for sample in samples)


@KINDS
def test_all_images_are_there_once(kind, write, tmp_path):
    data = kind(str(write(tmp_path / "x")))
    assert (data.size("train"), data.size("heldout")) == (18, 2)
    assert data.image_shape == (3, 32, 32)
    assert data.classes == ()
    expected = sorted(image.transpose(2, 0, 1).tobytes() for image in made_images(20, 32, 32, 3, 0))
    assert as_bytes(all_of(data)) == expected


@KINDS
def test_the_held_out_share_is_fixed(kind, write, tmp_path):
    folder = str(write(tmp_path / "x"))
    for heldout, n in ((0.25, 5), (7, 7), (19, 19), (1, 1)):
        assert kind(folder, heldout=heldout).size("heldout") == n
    first, second = kind(folder, heldout=7, seed=1), kind(folder, heldout=7, seed=2, image_size=32)
    assert all(map(torch.equal, all_of(first), all_of(second)))
    for bad in (0, -1, 0.0, 1.0, 1.5, float("nan")):
        with pytest.raises(ValueError, match=rf"heldout must be a share between 0 and 1, .* got heldout={bad}"):
            kind(folder, heldout=bad)
    for bad in (20, 0.01, 0.99):
        with pytest.raises(ValueError, match=f"at least one image to train and one held out; got heldout={bad} of 20"):
            kind(folder, heldout=bad).setup()


def split_folders(kind, folder, names):
    for seed, name in enumerate(names):
        if kind is ImageFolder:
            write_folder(folder / name, 12 + seed, seed)
        else:
            members = {f"{i}.png": encoded(image) for i, image in enumerate(made_images(12 + seed, 32, 32, 3, seed))}
            write_shard(folder / name / "a.tar", members)
    return str(folder)


@pytest.mark.parametrize("kind", [ImageFolder, ImageShards])
def test_folders_named_by_split_are_the_splits(kind, tmp_path):
    for number, names in enumerate((("train", "val"), ("train", "test", "val"), ("train", "heldout", "test", "val"))):
        data = kind(split_folders(kind, tmp_path / str(number), names))
        # The first after train.
        assert (data.size("train"), data.size("heldout")) == (12, 13)
    with pytest.raises(ValueError, match=r"heldout=3 is for a folder without splits of its own; .* has train/"):
        kind(str(tmp_path / "0"), heldout=3).setup()
    with pytest.raises(
        ValueError, match="has train/ without heldout/, test/ or val/ beside it: add one, or name train/"
    ):
        kind(split_folders(kind, tmp_path / "alone", ("train",))).setup()


def test_classes_are_the_topmost_folders(tmp_path):
    write_folder(tmp_path, 20, 0)
    deep = tmp_path / "class 3" / "more" / "x.png"
    deep.parent.mkdir()
    deep.write_bytes(encoded(IMAGE))
    data = ImageFolder(str(tmp_path), labels=True, heldout=1)
    assert data.classes == tuple(f"class {k}" for k in range(CLASSES))
    counts = sum(data.split(name).labels.bincount(minlength=CLASSES) for name in ("train", "heldout"))
    assert counts.tolist() == [2, 2, 2, 3, 2, 2, 2, 2, 2, 2]


def test_missing_labels_are_named(tmp_path):
    write_flat(tmp_path / "flat")
    with pytest.raises(ValueError, match=r"every image in a folder named by its class; .*0000\.png is in none"):
        ImageFolder(str(tmp_path / "flat"), labels=True).setup()
    write_flat_shard(tmp_path / "shard", b"3", "0000.cls")
    with pytest.raises(ValueError, match=r"labels=True needs a \.cls beside every image; .*a\.tar:0001\.png has none"):
        ImageShards(str(tmp_path / "shard"), labels=True).setup()
    write_folder(tmp_path / "split" / "train", 5, 0)
    write_folder(tmp_path / "split" / "val", 7, 0)
    with pytest.raises(ValueError, match="val has classes that no training image has: class 5, class 6"):
        ImageFolder(str(tmp_path / "split"), labels=True).setup()
    assert ImageFolder(str(tmp_path / "split")).size("heldout") == 7


def test_numbers_of_classes_are_sorted_as_numbers_and_keys_belong_to_folders(tmp_path):
    members = {}
    for folder, label in (("a", b"10"), ("b", b"2\n"), ("c", b"0")):
        members |= {f"{folder}/x.cls": label, f"{folder}/x.png": encoded(IMAGE), f"{folder}/x.json": b"{}"}
    write_shard(tmp_path / "a.tar", members)
    data = ImageShards(str(tmp_path), labels=True, heldout=1)
    assert data.classes == ("0", "2", "10")
    labels = torch.cat([data.split(name).labels for name in ("train", "heldout")])
    assert sorted(labels.tolist()) == [0, 1, 2]
    for bad in (b"dog", b"-1", b"", b"1.0"):
        write_shard(tmp_path / "a.tar", {"x.cls": bad, "x.png": encoded(IMAGE)})
        with pytest.raises(ValueError, match=r"a\.tar:x\.cls must hold the number of a class, from 0; got b'"):
            ImageShards(str(tmp_path)).setup()


@KINDS
def test_no_folder_and_no_images_are_named(kind, write, tmp_path):
    with pytest.raises(FileNotFoundError, match=f"data_dir: there is no folder {tmp_path}/none"):
        kind(str(tmp_path / "none")).setup()
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match=f"data_dir must be a folder; {tmp_path}/file is a file"):
        kind(str(tmp_path / "file")).setup()
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "notes.txt").write_text("not an image")
    with pytest.raises(ValueError, match=r"empty holds no .*images.* \(\.png, \.jpg, \.jpeg, \.bmp, \.webp\)"):
        kind(str(tmp_path / "empty")).setup()


def saved(mode, size=(32, 32), suffix="PNG"):
    file = io.BytesIO()
    Image.new(mode, size).save(file, suffix)
    return file.getvalue()


@KINDS
@pytest.mark.parametrize(
    ("odd", "message"),
    [
        (FLAT[0][:200], "is damaged, or not an image"),
        (b"<html>", "is damaged, or not an image"),
        (b"", "is damaged, or not an image"),
        (saved("RGB", (33, 32)), "33x32 RGB, and "),
        (saved("L"), "32x32 L, and "),
        (saved("RGBA"), "got mode RGBA, 1 frame: convert it, or set channels to 1 or 3"),
        (saved("P"), "got mode P, 1 frame: convert it, or set channels to 1 or 3"),
        (saved("I;16"), "got mode I;16, 1 frame"),
        (saved("CMYK", suffix="JPEG"), "got mode CMYK, 1 frame"),
    ],
)
def test_odd_images_are_named(kind, write, odd, message, tmp_path):
    data = kind(str(write(tmp_path / "x", odd)))
    with pytest.raises(ValueError, match=rf"0007\.png,? {re.escape(message)}|0007\.png must be .*{re.escape(message)}"):
        all_of(data)


@KINDS
def test_of_two_sizes_the_error_says_what_to_set(kind, write, tmp_path):
    data = kind(str(write(tmp_path / "x", saved("RGB", (33, 32)))))
    with pytest.raises(ValueError, match=r"0007\.png, 33x32 RGB, and .*0000\.png, 32x32 RGB: set image_size$"):
        all_of(data)
    assert len(all_of(kind(data.data_dir, image_size=16))) == 20
    data = kind(str(write(tmp_path / "y", saved("L"))))
    with pytest.raises(ValueError, match=r": set channels to 1 or 3$"):
        all_of(data)


@KINDS
@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "I;16"])
@pytest.mark.parametrize("channels", [1, 3])
def test_all_modes_are_taken_where_channels_are_given(kind, write, mode, channels, tmp_path):
    data = kind(str(write(tmp_path / "x", saved(mode))), channels=channels)
    samples = torch.stack(all_of(data))
    assert samples.shape == (20, channels, 32, 32)
    # The odd one is black.
    assert (samples.flatten(1).amax(1) == -1).sum() == 1


@pytest.mark.parametrize("mode", ["w:gz", "w:bz2", "w:xz"])
def test_compressed_archives_are_refused(mode, tmp_path):
    write_shard(tmp_path / "a.tar", {"x.png": FLAT[0]}, mode)
    with pytest.raises(ValueError, match=r"a\.tar is damaged, or not an uncompressed \.tar file"):
        ImageShards(str(tmp_path)).setup()


def test_an_archive_is_named_wherever_it_is_cut(tmp_path):
    path = write_shard(tmp_path / "a.tar", {"x.png": FLAT[0], "y.png": FLAT[1]})
    whole = path.read_bytes()
    with tarfile.open(path) as archive:
        end = max(member.offset_data + -(-member.size // 512) * 512 for member in archive)
    for length in (*range(0, end, 100), *range(0, end, 512), end - 1, end, end + 511):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"a\.tar is damaged"):
            ImageShards(str(tmp_path)).setup()
    path.write_bytes(whole[: end + 512])
    assert ImageShards(str(tmp_path), heldout=1).size("train") == 1


def test_what_is_in_archives_beside_images_is_passed_over(tmp_path):
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as archive:
        for name, kind in (("folder.png", tarfile.DIRTYPE), ("link.png", tarfile.SYMTYPE)):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "/etc/passwd"
            archive.addfile(member)
        for name, content in (
            ("x.png", FLAT[0]),
            ("x.seg.png", b"?"),
            (".y.png", b"?"),
            ("z.PNG", FLAT[1]),
            ("t.txt", b"?"),
        ):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    data = ImageShards(str(tmp_path), heldout=1)
    assert len(all_of(data)) == 2


def test_folders_keep_what_published_sets_hold(tmp_path):
    data = MADE["ImageFolder with splits"](tmp_path, labels=True)
    expected = made_images(TRAIN, 32, 32, 3, 0)
    order = np.lexsort((np.arange(TRAIN), np.arange(TRAIN) % CLASSES))
    found = torch.stack([data.split("train")[i] for i in range(TRAIN)])[:, :3]
    assert torch.equal(found, torch.from_numpy(expected[order].transpose(0, 3, 1, 2)).float().div(127.5).sub(1))
    assert data.size("heldout") == HELDOUT

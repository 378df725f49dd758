"""Folders of images: splits, classes, and what is wrong with them."""

import io
import os
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.data.made import CLASSES, HELDOUT, MADE, TRAIN, encoded, made_images, write_folder
from wgan_lip.data import ImageFolder

IMAGE = made_images(1, 32, 32, 3, 0)[0]
FLAT = [encoded(image) for image in made_images(20, 32, 32, 3, 0)]


def write_flat(folder, odd=None, name="0007.png"):
    """20 images without classes; ``odd`` in place of one."""
    folder.mkdir(exist_ok=True, parents=True)
    for index, content in enumerate(FLAT):
        (folder / f"{index:04d}.png").write_bytes(content)
    if odd is not None:
        (folder / name).write_bytes(odd)
    return folder


def all_of(data):
    return [data.split(name)[i] for name in ("train", "heldout") for i in range(data.size(name))]


def as_bytes(samples):
    return sorted(((sample + 1) * 127.5).round().to(torch.uint8).numpy().tobytes() for sample in samples)


def test_all_images_are_there_once(tmp_path):
    data = ImageFolder(str(write_flat(tmp_path / "x")))
    assert (data.size("train"), data.size("heldout")) == (18, 2)
    assert data.image_shape == (3, 32, 32)
    assert data.classes == ()
    expected = sorted(image.transpose(2, 0, 1).tobytes() for image in made_images(20, 32, 32, 3, 0))
    assert as_bytes(all_of(data)) == expected


def test_the_held_out_share_is_fixed(tmp_path):
    folder = str(write_flat(tmp_path / "x"))
    for heldout, n in ((0.25, 5), (7, 7), (19, 19), (1, 1)):
        assert ImageFolder(folder, heldout=heldout).size("heldout") == n
    first, second = ImageFolder(folder, heldout=7, seed=1), ImageFolder(folder, heldout=7, seed=2, image_size=32)
    assert all(map(torch.equal, all_of(first), all_of(second)))
    for bad in (0, -1, 0.0, 1.0, 1.5, float("nan")):
        with pytest.raises(ValueError, match=rf"heldout must be a share between 0 and 1, .* got heldout={bad}"):
            ImageFolder(folder, heldout=bad)
    for bad in (20, 0.01, 0.99):
        with pytest.raises(ValueError, match=f"at least one image to train and one held out; got heldout={bad} of 20"):
            ImageFolder(folder, heldout=bad).setup()


def split_folders(folder, names):
    for seed, name in enumerate(names):
        write_folder(folder / name, 12 + seed, seed)
    return str(folder)


def test_folders_named_by_split_are_the_splits(tmp_path):
    for number, names in enumerate((("train", "val"), ("train", "test", "val"), ("train", "heldout", "test", "val"))):
        data = ImageFolder(split_folders(tmp_path / str(number), names))
        # The first after train.
        assert (data.size("train"), data.size("heldout")) == (12, 13)
    with pytest.raises(ValueError, match=r"heldout=3 is for a folder without splits of its own; .* has train/"):
        ImageFolder(str(tmp_path / "0"), heldout=3).setup()


def test_one_split_alone_is_refused(tmp_path):
    for name in ("train", "Training"):
        with pytest.raises(
            ValueError,
            match=f"has {name}/ without heldout/, test/ or val/ beside it: add one, or set data_dir to {name}/ itself",
        ):
            ImageFolder(split_folders(tmp_path / f"{name} alone", (name,))).setup()
    for name in ("test", "VALID"):
        with pytest.raises(
            ValueError, match=f"has {name}/ without train/ beside it: add one, or set data_dir to {name}/ itself"
        ):
            ImageFolder(split_folders(tmp_path / f"{name} alone", (name,))).setup()


@pytest.mark.parametrize(
    ("train", "heldout"),
    [
        *(
            ("Train", "Test"),
            ("TRAIN", "TEST"),
            ("training", "testing"),
            ("Training", "validation"),
            ("train", "valid"),
        ),
        *(("train", "Dev"), ("train", "eval"), ("training_set", "test_set"), ("train2017", "val2017")),
    ],
)
def test_splits_are_known_in_any_case_and_spelling(train, heldout, tmp_path):
    data = ImageFolder(split_folders(tmp_path, (train, heldout)), labels=True)
    assert (data.size("train"), data.size("heldout")) == (12, 13)
    assert not {train, heldout} & set(data.class_names)
    with pytest.raises(ValueError, match=f"heldout=3 is for a folder without splits of its own; .* has {train}/"):
        ImageFolder(str(tmp_path), heldout=3).setup()


@pytest.mark.parametrize(
    "names", [("train", "Training", "test"), ("train", "Test", "test"), ("train", "test", "val", "dev")]
)
def test_two_folders_for_one_split_are_refused(names, tmp_path):
    with pytest.raises(ValueError, match=r"must have one folder for each split; got [A-Za-z]+/ and [A-Za-z]+/$"):
        ImageFolder(split_folders(tmp_path, names)).setup()


def test_a_class_within_a_split_may_be_called_as_a_split(tmp_path):
    for part in ("train", "val"):
        for name in ("test", "Train", "cat"):
            write_flat(tmp_path / part / name)
    data = ImageFolder(str(tmp_path), labels=True)
    assert data.classes == ("Train", "cat", "test")
    assert (data.size("train"), data.size("heldout")) == (60, 60)


@pytest.mark.parametrize("above", ["photos", "cats", "a/b"])
def test_splits_that_lie_deeper_do_not_train(above, tmp_path):
    split_folders(tmp_path / above, ("Train", "test"))
    with pytest.raises(
        ValueError, match=rf"splits must be folders in data_dir=.* itself.*; got {above}/Train and {above}/test"
    ):
        ImageFolder(str(tmp_path)).setup()
    assert ImageFolder(str(tmp_path / above)).size("heldout") == 13


def said(data, caplog):
    caplog.clear()
    data.setup()
    return [record.getMessage() for record in caplog.records if record.name.startswith("wgan_lip")]


def test_what_is_left_out_is_said_once(tmp_path, caplog):
    folder = write_flat(tmp_path / "x")
    assert said(ImageFolder(str(folder)), caplog) == []
    for name in (*(f"{i}.txt" for i in range(10)), ".DS_Store", "Thumbs.db"):
        (folder / name).touch()
    data = ImageFolder(str(folder))
    assert said(data, caplog) == [f"{folder}: 12 files left out: 10 .txt, 1 .DS_Store, 1 Thumbs.db"]
    assert said(data, caplog) == []


def test_what_lies_beside_splits_and_in_them_is_said_together(tmp_path, caplog):
    split_folders(tmp_path, ("train", "test", "val"))
    for name in ("train/a.txt", "test/b.txt", "notes.txt", "x.png"):
        (tmp_path / name).touch()
    assert said(ImageFolder(str(tmp_path)), caplog) == [f"{tmp_path}: 18 files left out: 14 in val/, 3 .txt, 1 .png"]


def test_linked_classes_and_images_are_there(tmp_path):
    store, folder = write_folder(tmp_path / "store", 20, 0), tmp_path / "photos"
    folder.mkdir()
    for k in range(CLASSES - 1):
        (folder / f"class {k}").symlink_to(store / f"class {k}")
    (folder / "class 9").mkdir()
    for path in (store / "class 9").iterdir():
        (folder / "class 9" / path.name).symlink_to(path)
    linked, plain = (ImageFolder(str(data_dir), labels=True, heldout=5) for data_dir in (folder, store))
    assert linked.classes == plain.classes
    # The same order, and so the same split.
    assert all(map(torch.equal, all_of(linked), all_of(plain)))
    # Splits may be links too.
    (tmp_path / "splits").mkdir()
    for name in ("train", "test"):
        (tmp_path / "splits" / name).symlink_to(store)
    assert ImageFolder(str(tmp_path / "splits"), labels=True).size("heldout") == 20


def test_photos_are_turned(tmp_path):
    pixels = np.zeros((32, 32, 3), np.uint8)
    pixels[:, :16] = 255
    tags = Image.Exif()
    tags[0x0112] = 6
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", exif=tags)
    data = ImageFolder(str(write_flat(tmp_path / "x", file.getvalue())), heldout=1)
    turned = np.rot90(pixels, -1).transpose(2, 0, 1).tobytes()
    assert turned in as_bytes(all_of(data))


def test_files_of_other_kinds_and_sizes_become_alike(tmp_path):
    # A grey GIF, the first of several.
    file = io.BytesIO()
    Image.new("P", (9, 70), 0).save(file, "GIF", save_all=True, append_images=[Image.new("P", (9, 70), 1)])
    data = ImageFolder(
        str(write_flat(tmp_path / "x", file.getvalue(), "0007.gif")), image_size=8, channels=3, heldout=1
    )
    assert len(all_of(data)) == 21
    for size in ((1, 1), (1, 3000), (3000, 1)):
        write_flat(tmp_path / "x", saved("L", size))
        data = ImageFolder(str(tmp_path / "x"), image_size=8, channels=3, heldout=1)
        assert torch.stack(all_of(data)).shape[1:] == (3, 8, 8)


def test_files_that_vanish_or_change_after_listing_are_named(tmp_path):
    data = ImageFolder(str(write_flat(tmp_path / "x")), heldout=1)
    data.setup()
    (tmp_path / "x" / "0007.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"0007\.png was removed after its folder was listed$"):
        all_of(data)
    os.mkfifo(tmp_path / "x" / "0007.png")
    with pytest.raises(ValueError, match=r"0007\.png must be a regular file; it is a named pipe$"):
        all_of(data)


@pytest.mark.parametrize("split", ["train", "heldout"])
def test_errors_of_workers_are_the_same_line(split, tmp_path):
    folder = write_flat(tmp_path / "x")
    for path in folder.iterdir():
        if path.name != "0000.png":
            path.write_bytes(b"?")
    data = ImageFolder(str(folder), heldout=8, batch_size=4, num_workers=1)
    with pytest.raises(ValueError, match=r"\A\S+\.png is damaged, or not an image\Z"):
        list(data.train_dataloader() if split == "train" else data.val_dataloader())


def test_names_of_classes_are_escaped(tmp_path):
    for name in (b"a\nb", b"\xff", b"caf\xc3\xa9"):
        write_flat(Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)))
    data = ImageFolder(str(tmp_path), labels=True)
    data.setup()
    assert data.classes == ("a\\nb", "café", "\\xff")


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
    write_folder(tmp_path / "split" / "train", 5, 0)
    write_folder(tmp_path / "split" / "val", 7, 0)
    with pytest.raises(ValueError, match="val has classes that no training image has: class 5, class 6"):
        ImageFolder(str(tmp_path / "split"), labels=True).setup()
    assert ImageFolder(str(tmp_path / "split")).size("heldout") == 7


def test_no_folder_and_no_images_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=f"data_dir must be an existing folder; there is no {tmp_path}/none"):
        ImageFolder(str(tmp_path / "none")).setup()
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match=f"data_dir must be a folder; {tmp_path}/file is a file"):
        ImageFolder(str(tmp_path / "file")).setup()
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "notes.txt").write_text("not an image")
    with pytest.raises(ValueError, match=r"empty holds no .*images.* \(\.png, .*\); 1 file left out: 1 \.txt$"):
        ImageFolder(str(tmp_path / "empty")).setup()


def saved(mode, size=(32, 32), suffix="PNG"):
    file = io.BytesIO()
    Image.new(mode, size).save(file, suffix)
    return file.getvalue()


@pytest.mark.parametrize(
    ("odd", "message"),
    [
        (FLAT[0][:200], "is damaged, or not an image"),
        (b"<html>", "is damaged, or not an image"),
        (b"", "is empty: it holds 0 bytes"),
        (saved("RGB", (33, 32)), "33x32 RGB, and "),
        (saved("L"), "32x32 L, and "),
        (saved("RGBA"), "got mode RGBA: convert it, or set channels to 1 or 3"),
        (saved("P"), "got mode P: convert it, or set channels to 1 or 3"),
        (saved("I;16"), "got mode I;16"),
        (saved("CMYK", suffix="JPEG"), "got mode CMYK"),
    ],
)
def test_odd_images_are_named(odd, message, tmp_path):
    data = ImageFolder(str(write_flat(tmp_path / "x", odd)))
    with pytest.raises(ValueError, match=rf"0007\.png,? {re.escape(message)}|0007\.png must be .*{re.escape(message)}"):
        all_of(data)


def test_of_two_sizes_the_error_says_what_to_set(tmp_path):
    data = ImageFolder(str(write_flat(tmp_path / "x", saved("RGB", (33, 32)))))
    with pytest.raises(ValueError, match=r"0007\.png, 33x32 RGB, and .*0000\.png, 32x32 RGB: set image_size$"):
        all_of(data)
    assert len(all_of(ImageFolder(data.data_dir, image_size=16))) == 20
    data = ImageFolder(str(write_flat(tmp_path / "y", saved("L"))))
    with pytest.raises(ValueError, match=r": set channels to 1 or 3$"):
        all_of(data)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "I;16"])
@pytest.mark.parametrize("channels", [1, 3])
def test_all_modes_are_taken_where_channels_are_given(mode, channels, tmp_path):
    data = ImageFolder(str(write_flat(tmp_path / "x", saved(mode))), channels=channels)
    samples = torch.stack(all_of(data))
    assert samples.shape == (20, channels, 32, 32)
    # The odd one is black.
    assert (samples.flatten(1).amax(1) == -1).sum() == 1


def test_folders_keep_what_published_sets_hold(tmp_path):
    data = MADE["ImageFolder with splits"](tmp_path, labels=True)
    expected = made_images(TRAIN, 32, 32, 3, 0)
    order = np.lexsort((np.arange(TRAIN), np.arange(TRAIN) % CLASSES))
    found = torch.stack([data.split("train")[i] for i in range(TRAIN)])[:, :3]
    assert torch.equal(found, torch.from_numpy(expected[order].transpose(0, 3, 1, 2)).float().div(127.5).sub(1))
    assert data.size("heldout") == HELDOUT

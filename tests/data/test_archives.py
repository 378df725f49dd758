"""Names in archives: which members are images, whose labels are theirs, and what is said of the others."""

import io
import tarfile

import numpy as np
import pytest
from PIL import Image

from tests.data.made import write_shard
from wgan_lip.data import ImageShards
from wgan_lip.data.archives import MemberName, members_of


def png(level: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.full((4, 4), level, dtype=np.uint8)).save(file, "PNG")
    return file.getvalue()


def levels(data: ImageShards) -> list[int]:
    """The grey of each image, in any order."""
    splits = [data.split(name) for name in ("train", "heldout")]
    return sorted(round(float(split[i].mean() + 1) * 127.5) for split in splits for i in range(len(split)))


def said(data: ImageShards, caplog) -> str:
    caplog.clear()
    data.setup()
    return " ".join(record.getMessage().partition(": ")[2] for record in caplog.records)


@pytest.mark.parametrize(
    ("path", "folder", "stem", "key", "suffix"),
    [
        ("0001.png", "", "0001", "0001", ".png"),
        ("dir/a.b/0001.png", "dir/a.b", "0001", "0001", ".png"),
        ("crop_0.7.png", "", "crop_0.7", "crop_0", ".png"),
        ("./x/0001.input.PNG", "./x", "0001.input", "0001", ".png"),
        ("0001.cls", "", "0001", "0001", ".cls"),
        ("README", "", "README", "README", ""),
    ],
)
def test_names_are_taken_apart(path, folder, stem, key, suffix):
    name = MemberName(path)
    assert (name.folder, name.stem, name.key, name.suffix) == (folder, stem, key, suffix)


def test_dots_in_names_drop_nothing(tmp_path, caplog):
    names = ["crop_0.7.png", "crop_0.8.png", "crop_0.png", "0001.input.png", "dir/a.b/0001.png", "v1.2.3.PNG"]
    write_shard(tmp_path / "a.tar", {name: png(10 * i) for i, name in enumerate(names)})
    data = ImageShards(str(tmp_path), heldout=1)
    assert said(data, caplog) == ""
    assert levels(data) == [0, 10, 20, 30, 40, 50]


def test_parts_of_a_sample_are_left_out_beside_its_image_and_counted(tmp_path, caplog):
    members = {"0.jpg.png": 1, "1.png": 2, "1.seg.png": 3, "1.depth.tiff": 4, "a/1.seg.png": 5, "2.input.png": 6}
    write_shard(tmp_path / "a.tar", {name: png(level) for name, level in members.items()} | {"1.json": b"{}"})
    data = ImageShards(str(tmp_path), heldout=1)
    assert said(data, caplog) == "3 files left out: 1 .depth.tiff, 1 .json, 1 .seg.png"
    assert levels(data) == [1, 2, 5, 6]


def test_a_label_is_that_of_the_name_or_of_its_key(tmp_path):
    members = {"crop_0.7.png": b"7", "crop_0.8.png": b"8", "0001.input.png": b"1", "d.e/0001.png": b"2"}
    labels = {name.replace(".png", ".cls").replace(".input", ""): label for name, label in members.items()}
    write_shard(tmp_path / "a.tar", {name: png(int(label)) for name, label in members.items()} | labels)
    data = ImageShards(str(tmp_path), labels=True, heldout=1)
    assert data.classes == ("1", "2", "7", "8")
    for name in ("train", "heldout"):
        split = data.split(name)
        for i, label in enumerate(split.labels.tolist()):
            assert round(float(split[i][0].mean() + 1) * 127.5) == int(data.classes[label])


def test_what_is_in_archives_beside_images_is_counted(tmp_path, caplog):
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as archive:
        for name, kind in (
            ("folder.png", tarfile.DIRTYPE),
            ("outside.png", tarfile.SYMTYPE),
            ("pipe.png", tarfile.FIFOTYPE),
            ("device.png", tarfile.CHRTYPE),
        ):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "/etc/passwd"
            archive.addfile(member)
        contents = {"x.png": png(1), "z.PNG": png(2), "t.txt": b"?", ".y.png": b"?", "._x.png": b"?"}
        contents |= {"__MACOSX/._x.png": b"?", ".thumbnails/x.png": b"?", "./b/w.png": png(3)}
        for name, content in contents.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    data = ImageShards(str(tmp_path), heldout=1)
    assert said(data, caplog) == (
        "8 files left out: 1 ._*, 1 .txt, 1 device, 1 hidden, 1 in .thumbnails/, 1 in __MACOSX/, 1 link to nowhere, "
        "1 named pipe"
    )
    assert levels(data) == [1, 2, 3]


def test_links_within_an_archive_are_followed(tmp_path, caplog):
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        member = tarfile.TarInfo("all/x.png")
        member.size = len(png(9))
        archive.addfile(member, io.BytesIO(png(9)))
        for name, kind, target in (
            ("hard.png", tarfile.LNKTYPE, "all/x.png"),
            ("by class/soft.png", tarfile.SYMTYPE, "../all/x.png"),
            ("by class/again.png", tarfile.SYMTYPE, "soft.png"),
            ("loop.png", tarfile.SYMTYPE, "pool.png"),
            ("pool.png", tarfile.SYMTYPE, "loop.png"),
        ):
            link = tarfile.TarInfo(name)
            link.type, link.linkname = kind, target
            archive.addfile(link)
    data = ImageShards(str(tmp_path), heldout=1)
    assert said(data, caplog) == "2 files left out: 2 links to nowhere"
    assert levels(data) == [9, 9, 9, 9]


def test_archives_are_found_as_images_are(tmp_path, caplog):
    write_shard(tmp_path / "store" / "b.TAR", {"x.png": png(2)})
    folder = tmp_path / "shards"
    write_shard(folder / "a.tar", {"x.png": png(1)})
    (folder / "deep").symlink_to(tmp_path / "store")
    for name in ("._a.tar", "c.tar.gz", "index.json"):
        (folder / name).write_bytes(b"?")
    data = ImageShards(str(folder), heldout=1)
    assert said(data, caplog) == "3 files left out: 1 ._*, 1 .gz, 1 .json"
    assert levels(data) == [1, 2]


def test_a_member_of_negative_size_ends_the_reading(tmp_path):
    member = tarfile.TarInfo("x.png")
    header = bytearray(member.tobuf(tarfile.GNU_FORMAT))
    # The size in base 256, as two's complement: the archive would go back to this very member.
    header[124:136] = (-512).to_bytes(12, "big", signed=True)
    header[148:156] = b"%06o\0 " % (sum(header[:148]) + 8 * 32 + sum(header[156:512]))
    path = tmp_path / "a.tar"
    path.write_bytes(header + bytes(1024))
    with pytest.raises(ValueError, match=r"a\.tar is damaged, or not an uncompressed \.tar file"):
        members_of(path)

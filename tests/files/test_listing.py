"""Which files of a folder are found, in which order, and what is said of the others."""

import io
import os
import socket
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from wgan_lip.files import count_files, describe_left_out, list_files, list_images, load_samples
from wgan_lip.plain_text import printable


def write(folder: Path, *names: str) -> Path:
    """Empty files."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def names_in(folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in list_images(folder).paths]


def left_out(folder: Path) -> dict[str, int]:
    return dict(list_files(folder, (".png",)).left_out)


def test_suffixes_are_taken_in_any_case_and_paths_are_sorted_by_their_parts(tmp_path):
    write(tmp_path, "c.PNG", "b/x.JPEG", "b.png", "a.webp", "b-c/y.Tiff", "b/d/z.gif", "e.jfif", "f.jpe", "g.PgM")
    expected = ["a.webp", "b/d/z.gif", "b/x.JPEG", "b-c/y.Tiff", "b.png", "c.PNG", "e.jfif", "f.jpe", "g.PgM"]
    assert names_in(tmp_path) == expected
    assert not list_images(tmp_path).left_out


def test_the_order_is_not_that_of_the_file_system(tmp_path, monkeypatch):
    write(tmp_path, *(f"{folder}/{i:02d}.png" for folder in "cab" for i in (3, 1, 2)))
    expected, scan = names_in(tmp_path), os.scandir

    class Reversed:
        def __init__(self, folder):
            self.entries = scan(folder)

        def __enter__(self):
            return sorted(self.entries, key=lambda entry: entry.name, reverse=True)

        def __exit__(self, *_):
            self.entries.close()

    monkeypatch.setattr(os, "scandir", Reversed)
    assert names_in(tmp_path) == expected


def test_what_is_left_out_is_counted_by_kind(tmp_path):
    write(tmp_path, "a.png", "._a.png", ".DS_Store", "b/.DS_Store", "b/Thumbs.db", "b/desktop.ini", ".hidden.png")
    write(tmp_path, "x.TXT", "b/y.txt", "z.txt", "README", "x.", "__MACOSX/._a.png", "__MACOSX/b/._b.png", ".git/0/1")
    found = left_out(tmp_path)
    assert found == {
        ".txt": 3,
        ".DS_Store": 2,
        "Thumbs.db": 1,
        "desktop.ini": 1,
        "._*": 1,
        "hidden": 1,
        "without a suffix": 2,
        "in __MACOSX/": 2,
        "in .git/": 1,
    }
    assert describe_left_out(found) == (
        "14 files left out: 3 .txt, 2 .DS_Store, 2 in __MACOSX/, 2 without a suffix, 1 ._*, 1 Thumbs.db, "
        "1 desktop.ini, 1 hidden, 1 of other kinds"
    )
    assert describe_left_out({".txt": 10, ".DS_Store": 2}) == "12 files left out: 10 .txt, 2 .DS_Store"
    assert describe_left_out({".txt": 1}) == "1 file left out: 1 .txt"
    assert describe_left_out({}) == describe_left_out({"in .git/": 0}) == ""
    assert count_files(tmp_path) == 15


def test_links_to_folders_and_files_are_followed(tmp_path):
    store = write(tmp_path / "store", "cats/0.png", "cats/deep/1.png", "2.png")
    folder = write(tmp_path / "photos", "dogs/3.png")
    (folder / "cats").symlink_to(store / "cats")
    (folder / "dogs" / "2.png").symlink_to(store / "2.png")
    (folder / "dogs" / "more").symlink_to("../../store/cats/deep")
    expected = ["cats/0.png", "cats/deep/1.png", "dogs/2.png", "dogs/3.png", "dogs/more/1.png"]
    assert names_in(folder) == expected
    assert not list_images(folder).left_out
    # The folder itself may be a link.
    (tmp_path / "all").symlink_to(folder)
    assert names_in(tmp_path / "all") == expected


@pytest.mark.timeout(20)
def test_links_back_end_and_are_counted(tmp_path):
    store = write(tmp_path / "store", "cats/0.png", "dogs/1.png")
    folder = write(tmp_path / "photos", "a/b/2.png", "3.png")
    (folder / "a" / "b" / "up").symlink_to("..")
    (folder / "a" / "b" / "top").symlink_to(folder)
    (folder / "a" / "above").symlink_to(tmp_path)
    (folder / "root").symlink_to("/")
    (folder / "self").symlink_to("self")
    # A linked folder with a link to where it really lies: not all of the store is of this class.
    (folder / "cats").symlink_to(store / "cats")
    (store / "cats" / "back").symlink_to("..")
    assert names_in(folder) == ["3.png", "a/b/2.png", "cats/0.png"]
    assert left_out(folder) == {"link to a parent folder": 5, "broken link": 1}
    assert describe_left_out(left_out(folder)) == "6 files left out: 5 links to a parent folder, 1 broken link"


@pytest.mark.timeout(60)
def test_links_that_make_more_ways_than_can_be_walked_are_refused(tmp_path):
    for name in "abcdefghijkl":
        write(tmp_path, f"{name}/0.png")
        for other in "abcdefghijkl":
            if other != name:
                (tmp_path / name / other).symlink_to(f"../{other}")
    with pytest.raises(ValueError, match=r"is reached by more than 100 paths of linked folders$"):
        list_images(tmp_path)


def test_two_folders_that_link_to_each_other_are_read_from_either(tmp_path):
    write(tmp_path, "a/0.png", "b/1.png")
    (tmp_path / "a" / "b").symlink_to("../b")
    (tmp_path / "b" / "a").symlink_to("../a")
    assert names_in(tmp_path) == ["a/0.png", "a/b/1.png", "b/1.png", "b/a/0.png"]
    assert left_out(tmp_path) == {"link to a parent folder": 2}


def test_links_to_nowhere_are_counted(tmp_path):
    write(tmp_path, "a.png")
    (tmp_path / "b.png").symlink_to("none.png")
    (tmp_path / "cats").symlink_to(tmp_path / "none")
    (tmp_path / "below").symlink_to("a.png/b.png")
    (tmp_path / "._c.png").symlink_to("none.png")
    assert names_in(tmp_path) == ["a.png"]
    assert left_out(tmp_path) == {"broken link": 3, "._*": 1}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
@pytest.mark.timeout(20)
def test_pipes_sockets_and_devices_are_counted_and_folders_named_as_images_entered(tmp_path, monkeypatch):
    write(tmp_path, "a.png", "folder.png/b.png")
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "pipe of another name.png").symlink_to("pipe.png")
    (tmp_path / "null.png").symlink_to("/dev/null")
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket.png")
        assert names_in(tmp_path) == ["a.png", "folder.png/b.png"]
        assert left_out(tmp_path) == {"named pipe": 2, "socket": 1, "device": 1}


def test_a_folder_that_may_not_be_read_is_an_error_and_not_left_out(tmp_path, monkeypatch):
    write(tmp_path, "a.png", "b/c.png")
    scan = os.scandir

    def refuse(folder):
        if Path(folder).name == "b":
            raise PermissionError(13, "Permission denied", str(folder))
        return scan(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(PermissionError, match="Permission denied"):
        list_images(tmp_path)


def test_no_images_are_said_with_what_is_there(tmp_path):
    with pytest.raises(ValueError, match=r"holds no images \(\.png, .*\.pnm\)$"):
        list_images(tmp_path)
    write(tmp_path, "a.heic", "b.heic")
    with pytest.raises(ValueError, match=r"holds no images \(\.png, .*\); 2 files left out: 2 \.heic$"):
        list_images(tmp_path)


def test_names_of_any_bytes_are_read_and_shown_escaped(tmp_path):
    content = io.BytesIO()
    Image.fromarray(np.full((2, 2), 51, dtype=np.uint8)).save(content, "PNG")
    names = [b"new\nline.png", b"escape\x1b[31m.png", b"latin-\xe9.png", "snow-☃.png".encode(), b"n" * 250 + b".png"]
    for name in names:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).write_bytes(content.getvalue())
    assert load_samples(tmp_path).values.shape == (5, 1, 2, 2)
    texts = {printable(path.name) for path in list_images(tmp_path).paths}
    assert texts == {"escape\\x1b[31m.png", "latin-\\xe9.png", "n" * 250 + ".png", "new\\nline.png", "snow-☃.png"}
    for name in names:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).write_bytes(b"?")
    with pytest.raises(ValueError, match=r"escape\\x1b\[31m\.png is damaged, or not an image$"):
        load_samples(tmp_path)
    assert describe_left_out({".\x1b[2J": 1}) == "1 file left out: 1 .\\x1b[2J"


def test_names_of_folders_are_escaped_too(tmp_path):
    folder = tmp_path / "a\nb"
    folder.mkdir()
    with pytest.raises(ValueError, match=r"a\\nb holds no images"):
        load_samples(folder)

"""Files that are replaced: complete or not at all, and never through a link."""

import ast
import os
import resource
import time
from pathlib import Path

import pytest

import wgan_lip
from wgan_lip.replaced import own_folder, remove_abandoned, replace_text, replacing

LARGE = "x" * 100_000


@pytest.fixture
def small_disk():
    """No file may grow beyond 50 kB, as on a disk that is full; Python ignores the signal and has the error."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("exists", [True, False])
def test_a_link_is_replaced_and_not_followed(exists, tmp_path):
    elsewhere, link = tmp_path / "authorized_keys", tmp_path / "report.html"
    if exists:
        elsewhere.write_text("keys")
    link.symlink_to(elsewhere)
    replace_text(link, "page")
    assert (link.is_symlink(), link.read_text()) == (False, "page")
    assert (elsewhere.exists() and elsewhere.read_text()) == (exists and "keys")


def test_another_name_of_the_same_file_keeps_its_content(tmp_path):
    path, other = tmp_path / "a", tmp_path / "b"
    path.write_text("old")
    other.hardlink_to(path)
    replace_text(path, "new")
    assert (path.read_text(), other.read_text()) == ("new", "old")


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, OSError])
def test_an_error_leaves_the_old_file_and_nothing_else(error, tmp_path):
    path = tmp_path / "a"
    path.write_text("old")

    def write() -> None:
        with replacing(path) as file:
            file.write(b"half of the ne")
            raise error

    with pytest.raises(error):
        write()
    assert [(one.name, one.read_text()) for one in tmp_path.iterdir()] == [("a", "old")]


def test_a_full_disk_leaves_the_old_file_and_nothing_else(small_disk, tmp_path):
    path = tmp_path / "a"
    path.write_text("old")
    with pytest.raises(OSError, match=f"cannot write {path}: File too large"):
        replace_text(path, LARGE)
    assert [(one.name, one.read_text()) for one in tmp_path.iterdir()] == [("a", "old")]


def test_what_cannot_be_replaced_is_named(tmp_path):
    (tmp_path / "a").mkdir()
    with pytest.raises(OSError, match=f"^cannot write {tmp_path / 'a'}: Is a directory$"):
        replace_text(tmp_path / "a", "")
    with pytest.raises(OSError, match=f"^cannot write {tmp_path / 'b' / 'c'}: No such file or directory$"):
        replace_text(tmp_path / "b" / "c", "")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o027, 0o640), (0o077, 0o600)])
def test_permissions_are_those_of_a_new_file(mask, mode, tmp_path):
    before = os.umask(mask)
    try:
        for _ in range(2):
            replace_text(tmp_path / "a", "new")
            assert (tmp_path / "a").stat().st_mode & 0o777 == mode
            (tmp_path / "a").chmod(0o666)
    finally:
        os.umask(before)


def test_the_new_files_name_is_drawn_and_what_lies_there_is_left_alone(tmp_path, monkeypatch):
    names = set()
    for _ in range(20):
        with replacing(tmp_path / "a"):
            names |= {path.name for path in tmp_path.iterdir()} - {"a"}
    assert len(names) == 20
    monkeypatch.setattr("secrets.token_hex", lambda _: "known")
    planted, elsewhere = tmp_path / ".wgan-lip-known.tmp", tmp_path / "elsewhere"
    planted.symlink_to(elsewhere)
    with pytest.raises(OSError, match="File exists"):
        replace_text(tmp_path / "a", "new")
    assert not elsewhere.exists()


def test_what_a_killed_process_left_is_removed_and_what_is_being_written_stays(tmp_path):
    with replacing(tmp_path / "a"):
        (young,) = tmp_path.iterdir()
        old, other = tmp_path / ".wgan-lip-0.tmp", tmp_path / "mine.tmp"
        for path in (old, other):
            path.touch()
            os.utime(path, 2 * (time.time() - 3600,))
        remove_abandoned([tmp_path, tmp_path / "none"])
        assert set(tmp_path.iterdir()) == {young, other}


def test_a_folder_may_lie_in_a_linked_one_but_be_no_link(tmp_path):
    (tmp_path / "scratch").mkdir()
    (tmp_path / "run").symlink_to(tmp_path / "scratch")
    assert own_folder(tmp_path / "run" / "samples").is_dir()
    for target in (tmp_path, tmp_path / "nowhere"):
        (tmp_path / "link").symlink_to(target)
        with pytest.raises(OSError, match="link is a link, and nothing is written through links"):
            own_folder(tmp_path / "link")
        (tmp_path / "link").unlink()
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"cannot make the folder .*file: File exists"):
        own_folder(tmp_path / "file")


def writes(call: ast.Call) -> bool:
    """Whether a call may open a file for writing by its name."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    modes = [word.value for word in (*call.args, *(k.value for k in call.keywords)) if isinstance(word, ast.Constant)]
    to_a_path = bool(call.args) and "path" in ast.unparse(call.args[0])
    return (
        name in ("write_text", "write_bytes", "touch")
        or (name in ("open", "fdopen") and any(isinstance(mode, str) and set(mode) & set("wax+") for mode in modes[:2]))
        or (name in ("savefig", "save_image", "savez", "copy", "copyfile") and to_a_path)
    )


def test_nothing_else_in_the_package_opens_a_file_for_writing():
    found = set()
    for path in Path(wgan_lip.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and writes(node):
                found.add((path.name, ast.unparse(node)))
    appended = ("metrics_csv.py", "os.fdopen(os.open(self.path, flags), 'ab')")
    # Where outputs go that were closed before the command began.
    nowhere = {("process.py", f"open(os.devnull, {mode})") for mode in ("'wb'", "'w', encoding='utf-8'")}
    assert found == {("replaced.py", "temporary.open('x+b')"), appended, *nowhere}

"""Files of given kinds in a folder tree, sorted the same on every file system, and a count of all other files."""

import errno
import os
import stat
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from wgan_lip.plain_text import printable

# Links among a few folders can make more paths than can be walked.
_MOST_PATHS_TO_A_FOLDER = 100
_MISSING_TARGET = (errno.ENOENT, errno.ELOOP, errno.ENOTDIR, errno.ENAMETOOLONG)

_COUNTED_BY_NAME = (".DS_Store", "Thumbs.db", "desktop.ini")
_MOST_KINDS = 8
_BROKEN_LINK = "broken link"
_LINK_UPWARDS = "link to a parent folder"
_PLURALS = {
    **{kind: f"{kind}s" for kind in (_BROKEN_LINK, "named pipe", "socket", "device")},
    _LINK_UPWARDS: "links to a parent folder",
}

# Device and inode: the same for all paths to one folder.
_Identity = tuple[int, int]


@dataclass(frozen=True)
class Listing:
    """The files found in a folder.

    Attributes:
        paths: the files with the requested suffixes, sorted.
        left_out: the number of other files of each kind (``describe_left_out``).
    """

    paths: tuple[Path, ...]
    left_out: Mapping[str, int]


def list_files(folder: Path, suffixes: Collection[str]) -> Listing:
    """List all files with given suffixes in a folder and its subfolders; links to files and folders are followed.

    Hidden files and folders (``is_hidden``), broken links, links to a parent folder, and everything that is not a
    regular file are left out.

    Args:
        folder: an existing folder.
        suffixes: in lower case, with their dot; files are matched in any case.

    Raises:
        ValueError: more than a hundred paths, by links, to one folder.
        OSError: a folder that cannot be read.
    """
    found: list[Path] = []
    left_out: Counter[str] = Counter()
    paths_to: Counter[_Identity] = Counter()
    # Folders still to list, each with the identities of its parents and its own.
    waiting = [(folder, _with_parents(folder))]
    while waiting:
        parent, above = waiting.pop()
        with os.scandir(parent) as entries:
            for entry in entries:
                path, kind = Path(entry.path), _kind(entry)
                if kind == "folder" and is_hidden(entry.name):
                    name, n = ("hidden", 1) if entry.is_symlink() else (f"in {entry.name}/", count_files(path))
                    left_out[name] += n
                elif kind == "folder" and (identity := _identity(path)) in above:
                    left_out[_LINK_UPWARDS] += 1
                elif kind == "folder":
                    paths_to[identity] += 1
                    if paths_to[identity] > _MOST_PATHS_TO_A_FOLDER:
                        raise ValueError(
                            f"{printable(str(path))} is reached by more than {_MOST_PATHS_TO_A_FOLDER} paths of linked "
                            "folders"
                        )
                    waiting.append((path, above | (_with_parents(path) if entry.is_symlink() else {identity})))
                elif kind == "file" and not is_hidden(entry.name) and path.suffix.lower() in suffixes:
                    found.append(path)
                else:
                    left_out[kind_by_name(entry.name) if kind == "file" or is_hidden(entry.name) else kind] += 1
    # Sorted by the parts of the paths: Path's own order differs between systems.
    return Listing(tuple(sorted(found, key=lambda path: path.parts)), dict(left_out))


def count_files(folder: Path) -> int:
    """Count the files in a folder and its subfolders; links are not followed.

    Args:
        folder: an existing folder.
    """
    return sum(len(names) for _, _, names in os.walk(folder))


def is_hidden(name: str) -> bool:
    """Return whether a name is that of a hidden file or folder: ``.thumbnails``, ``._x.jpg``, ``__MACOSX``.

    Args:
        name: without its folder.
    """
    return name.startswith(".") or name == "__MACOSX"


def kind_by_name(name: str) -> str:
    """Return the kind that a left-out file is counted as: a well-known name, or the suffix.

    Args:
        name: without its folder.
    """
    if name in _COUNTED_BY_NAME:
        return name
    if name.startswith("._"):
        return "._*"
    suffix = Path(name).suffix.lower()
    return "hidden" if is_hidden(name) else suffix if len(suffix) > 1 else "without a suffix"


def describe_left_out(counts: Mapping[str, int]) -> str:
    """Describe left-out files, as in ``12 files left out: 10 .txt, 2 .DS_Store``; empty if there are none.

    Args:
        counts: the number of files of each kind.
    """
    total = sum(counts.values())
    if not total:
        return ""
    kinds = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    named = [f"{n:,} {printable(kind if n == 1 else _PLURALS.get(kind, kind))}" for kind, n in kinds[:_MOST_KINDS] if n]
    if others := sum(n for _, n in kinds[_MOST_KINDS:]):
        named.append(f"{others:,} of other kinds")
    return f"{total:,} file{'s' * (total > 1)} left out: {', '.join(named)}"


def read_regular(path: Path) -> bytes:
    """Read a regular file; a named pipe or a device is refused without waiting for it.

    Args:
        path: a file, or a link to one.

    Raises:
        ValueError: a pipe, a device or a folder.
        OSError: no such file, or one that cannot be read.
    """
    # Without O_NONBLOCK, opening a pipe waits for a writer.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        raise ValueError(f"{printable(str(path))} must be a regular file; it is a {kind_by_mode(mode)}")
    with os.fdopen(descriptor, "rb") as file:
        return file.read()


def kind_by_mode(mode: int) -> str:
    """Return what an entry is that is not a regular file: named pipe, socket, device or folder.

    Args:
        mode: ``st_mode``.
    """
    kinds = {stat.S_IFIFO: "named pipe", stat.S_IFSOCK: "socket", stat.S_IFDIR: "folder"}
    return kinds.get(stat.S_IFMT(mode), "device")


def _kind(entry: os.DirEntry[str]) -> str:
    """Return file, folder or, of what is neither, the kind that it is counted as."""
    try:
        # These need a system call for links only; the folder knows the kinds of its other entries.
        if entry.is_file():
            return "file"
        return "folder" if entry.is_dir() else kind_by_mode(entry.stat().st_mode)
    except OSError as error:
        if error.errno not in _MISSING_TARGET:
            raise
        return _BROKEN_LINK


def _with_parents(path: Path) -> frozenset[_Identity]:
    """Return the identities of a folder and of all its parents, with links resolved."""
    real = path.resolve()
    return frozenset(_identity(folder) for folder in (real, *real.parents))


def _identity(path: Path) -> _Identity:
    status = path.stat()
    return status.st_dev, status.st_ino

"""The files of some kinds in a folder and in those within it, in an order that is the same on every file system."""

import errno
import os
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from wgan_lip.files.left_out import TO_NOWHERE, UPWARDS, is_hidden, kind_by_name
from wgan_lip.files.names import shown
from wgan_lip.files.regular import kind_of

# In so many ways at most may links lead to one folder: links among a few folders make more paths than can be walked.
_MOST_WAYS = 100
_NOWHERE = (errno.ENOENT, errno.ELOOP, errno.ENOTDIR, errno.ENAMETOOLONG)

# Device and number: what a folder is, whatever path leads to it.
_Identity = tuple[int, int]


@dataclass(frozen=True)
class Listing:
    """What was found in a folder.

    Attributes:
        paths: the files that were sought, sorted.
        left_out: how many others there are, by kind (``describe_left_out``).
    """

    paths: tuple[Path, ...]
    left_out: Mapping[str, int]


def list_files(folder: Path, suffixes: Collection[str]) -> Listing:
    """All files with some suffixes in a folder and in those within it; links to files and folders are followed.

    Hidden files and folders (``is_hidden``) are left out, as are links to nowhere, links to a folder that they lie in,
    and whatever is no regular file.

    Args:
        folder: an existing folder.
        suffixes: in lower case, with their dot; case does not matter.

    Raises:
        ValueError: links that lead to one folder in more than a hundred ways.
        OSError: a folder that may not be read.
    """
    walk = _Walk(suffixes)
    walk.run(folder)
    # By the names of the folders on the way, which is how Path compares them on some systems only.
    return Listing(tuple(sorted(walk.found, key=lambda path: path.parts)), dict(walk.left_out))


def count_files(folder: Path) -> int:
    """How many files lie in a folder and in those within it; links are not followed.

    Args:
        folder: an existing folder.
    """
    return sum(len(names) for _, _, names in os.walk(folder))


class _Walk:
    def __init__(self, suffixes: Collection[str]) -> None:
        self.suffixes = suffixes
        self.found: list[Path] = []
        self.left_out: Counter[str] = Counter()
        self._ways: Counter[_Identity] = Counter()
        # Folders to walk, each with the identities of those that it lies in and its own.
        self._waiting: list[tuple[Path, frozenset[_Identity]]] = []

    def run(self, folder: Path) -> None:
        self._waiting.append((folder, _real_folders(folder)))
        while self._waiting:
            parent, above = self._waiting.pop()
            with os.scandir(parent) as entries:
                for entry in entries:
                    self._sort(entry, above)

    def _sort(self, entry: os.DirEntry[str], above: frozenset[_Identity]) -> None:
        try:
            # Of a link, this asks the system; what other entries are, their folder says.
            leads = not entry.is_symlink() or entry.stat() is not None
            is_folder, is_file = entry.is_dir(), entry.is_file()
        except OSError as error:
            if error.errno not in _NOWHERE:
                raise
            leads = is_folder = is_file = False
        if is_folder:
            self._folder(entry, above)
        elif is_hidden(entry.name):
            self.left_out[kind_by_name(entry.name)] += 1
        elif not leads:
            self.left_out[TO_NOWHERE] += 1
        elif not is_file:
            self.left_out[kind_of(entry.stat().st_mode)] += 1
        elif (path := Path(entry.path)).suffix.lower() in self.suffixes:
            self.found.append(path)
        else:
            self.left_out[kind_by_name(entry.name)] += 1

    def _folder(self, entry: os.DirEntry[str], above: frozenset[_Identity]) -> None:
        path = Path(entry.path)
        if is_hidden(entry.name):
            kind, n = ("hidden", 1) if entry.is_symlink() else (f"in {entry.name}/", count_files(path))
            self.left_out[kind] += n
            return
        identity = _identity(path)
        if identity in above:
            self.left_out[UPWARDS] += 1
            return
        self._ways[identity] += 1
        if self._ways[identity] > _MOST_WAYS:
            raise ValueError(f"{shown(path)}: links lead to this folder in more than {_MOST_WAYS} ways")
        self._waiting.append((path, above | (_real_folders(path) if entry.is_symlink() else {identity})))


def _real_folders(path: Path) -> frozenset[_Identity]:
    """A folder and all that it lies in, where it really is."""
    real = path.resolve()
    return frozenset(_identity(folder) for folder in (real, *real.parents))


def _identity(path: Path) -> _Identity:
    status = path.stat()
    return status.st_dev, status.st_ino

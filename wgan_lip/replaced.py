"""Files that are replaced as a whole: never partly written, never written through a link."""

import os
import secrets
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

_NAME = ".wgan-lip-{}.tmp"
# Writers change their files more often; an older one was left by a process that was killed.
_ABANDONED_SECONDS = 60.0


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Open a new file for writing, which replaces ``path`` when the block ends without an error.

    The new file lies beside ``path`` under a random name, and is flushed to the disk before it is renamed. So ``path``
    is never opened: a link there is replaced, and its target is not changed; and if the disk is full, or the process is
    killed, the old file stays. Permissions are those of a new file. After an error the new file is removed.

    Args:
        path: of the file, which may exist.

    Raises:
        OSError: the file cannot be written.
    """
    temporary = path.with_name(_NAME.format(secrets.token_hex(8)))
    try:
        with temporary.open("x+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise OSError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def replace_text(path: Path, text: str) -> None:
    """Replace a file by a text in UTF-8 (see :func:`replacing`).

    Args:
        path: of the file, which may exist.
        text: its content; line ends are written as they are.

    Raises:
        OSError: the file cannot be written.
    """
    with replacing(path) as file:
        file.write(text.encode())


def check_no_link(path: Path) -> None:
    """Raise OSError if a path is a link.

    Args:
        path: it need not exist; its parents may be links.

    Raises:
        OSError: the path is a link.
    """
    if path.is_symlink():
        raise OSError(f"{path} is a link, and nothing is written through links: replace it by its target")


def own_folder(folder: Path) -> Path:
    """Make a folder inside that of a run or of a comparison, unless it exists, and return it.

    Args:
        folder: the folder; its parents may be links, but not itself.

    Raises:
        OSError: the folder cannot be made, or is a link, through which files would be written elsewhere.
    """
    check_no_link(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(f"cannot make the folder {folder}: {error.strerror}") from error
    return folder


def remove_abandoned(folders: Iterable[Path]) -> None:
    """Remove the new files that killed processes left behind.

    Args:
        folders: in which to look for them, without subfolders.
    """
    for folder in folders:
        for path in folder.glob(_NAME.format("*")):
            # Another process may remove the same file.
            with suppress(OSError):
                if time.time() - path.lstat().st_mtime > _ABANDONED_SECONDS:
                    path.unlink()

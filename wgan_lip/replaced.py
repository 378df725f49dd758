"""Files that are replaced whole: never half written, never written through a link."""

import os
import secrets
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

_NAME = ".wgan-lip-{}.tmp"
# A writer changes its file more often than that; one older was left by a process that was killed.
_ABANDONED_SECONDS = 60.0


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A new file, open for writing, that takes the place of ``path`` when the block ends without an error.

    It lies beside ``path`` under a name that nobody can foresee, and is on the disk before it is renamed. So ``path``
    is never opened: a link there is replaced, and what it points to is left alone; and if the disk is full, or the
    process is killed, the old file stays. Permissions are those of a new file. After an error the new file is removed.

    Args:
        path: of the file, which may exist.

    Raises:
        OSError: it cannot be written.
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
    """Write a text in UTF-8 to a file, as ``replacing`` does.

    Args:
        path: of the file, which may exist.
        text: its content; ends of lines are written as they are.

    Raises:
        OSError: it cannot be written.
    """
    with replacing(path) as file:
        file.write(text.encode())


def check_no_link(path: Path) -> None:
    """See that a file or a folder is not elsewhere.

    Args:
        path: it need not exist; what it lies in may be a link.

    Raises:
        OSError: it is a link.
    """
    if path.is_symlink():
        raise OSError(f"{path} is a link, and nothing is written through links: put what it points to in its place")


def own_folder(folder: Path) -> Path:
    """Make a folder inside that of a run or of a comparison, unless it is there.

    Args:
        folder: to be made; what it lies in may be a link, itself it may not.

    Raises:
        OSError: it cannot be made, or is a link, through which files would be written elsewhere.
    """
    check_no_link(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(f"cannot make the folder {folder}: {error.strerror}") from error
    return folder


def remove_abandoned(folders: Iterable[Path]) -> None:
    """Remove new files that killed processes left before they could replace anything.

    Args:
        folders: in which they are sought, not below.
    """
    for folder in folders:
        for path in folder.glob(_NAME.format("*")):
            # Another process may be writing one, or remove the same.
            with suppress(OSError):
                if time.time() - path.lstat().st_mtime > _ABANDONED_SECONDS:
                    path.unlink()

"""Regular files, and nothing that a program could wait for without end."""

import os
import stat
from pathlib import Path

from wgan_lip.files.names import shown


def read_regular(path: Path, offset: int = 0, size: int = -1) -> bytes:
    """The content of a regular file, or a part of it.

    Args:
        path: a file, or a link to one.
        offset: where the part begins, in bytes.
        size: of the part; -1 is all that follows.

    Raises:
        ValueError: a pipe, a device, a folder.
        OSError: nothing there, or nothing that may be read.
    """
    # Opening a pipe waits for a writer, unless told not to.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        raise ValueError(f"{shown(path)} must be a regular file; it is a {kind_of(mode)}")
    with os.fdopen(descriptor, "rb") as file:
        file.seek(offset)
        return file.read(size)


def kind_of(mode: int) -> str:
    """What a file is that is not a regular one: named pipe, socket, device or folder.

    Args:
        mode: ``st_mode``.
    """
    kinds = {stat.S_IFIFO: "named pipe", stat.S_IFSOCK: "socket", stat.S_IFDIR: "folder"}
    return kinds.get(stat.S_IFMT(mode), "device")

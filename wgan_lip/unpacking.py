"""Refusal of files that are compressed too strongly, before they are decompressed."""

import zipfile
from pathlib import Path
from typing import IO

from wgan_lip.memory import available_memory

# Images of few values, such as drawings, are compressed fifty-fold; deflate compresses zeros a thousand-fold.
_MOST_FOLD = 200
# This many bytes are decompressed at any ratio.
_HARMLESS = 16 * 2**20


def check_unpacked(name: object, stored: int, unpacked: int) -> None:
    """Refuse content of more than 200 times its compressed size (and 16 MiB), or larger than the free memory.

    Args:
        name: of the file, for the error.
        stored: its compressed size in bytes.
        unpacked: its decompressed size in bytes.

    Raises:
        ValueError: it is refused.
    """
    if unpacked > max(_HARMLESS, _MOST_FOLD * stored):
        raise ValueError(
            f"{name} would grow from {stored:,} to {unpacked:,} bytes when decompressed, and at most {_MOST_FOLD}-fold "
            f"is allowed above {_HARMLESS // 2**20} MiB: if its content is right, save it uncompressed"
        )
    free = available_memory()
    if unpacked > free:
        raise ValueError(
            f"{name} requires {unpacked / 2**30:.1f} GiB of memory, and {free / 2**30:.1f} GiB are free: save fewer "
            "samples"
        )


def check_zip(path: Path, file: IO[bytes]) -> None:
    """Apply :func:`check_unpacked` to the total content of a zip archive.

    Args:
        path: for the error.
        file: the archive, open; its position is reset to the start.

    Raises:
        ValueError: it is refused.
        BadZipFile: it is damaged.
    """
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
    file.seek(0)
    # The sizes in an archive need not be true, but it cannot hold more than its own size.
    stored = min(sum(member.compress_size for member in members), path.stat().st_size)
    check_unpacked(path, stored, sum(member.file_size for member in members))

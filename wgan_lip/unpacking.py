"""How far a compressed file may unpack: refused before it does."""

import zipfile
from pathlib import Path
from typing import IO

from wgan_lip.memory import available_memory

# Images of few values, such as drawings, are stored in a fiftieth; deflate reaches a thousandth, on zeros.
_MOST_FOLD = 200
# So much is unpacked whatever the fold.
_HARMLESS = 16 * 2**20


def check_unpacked(name: object, stored: int, unpacked: int) -> None:
    """Refuse what would unpack to more than 200 times its size (and 16 MiB), or to more than there is memory.

    Args:
        name: of the file, for the error.
        stored: bytes that it takes.
        unpacked: bytes that it would take.

    Raises:
        ValueError: it is refused.
    """
    if unpacked > max(_HARMLESS, _MOST_FOLD * stored):
        raise ValueError(
            f"{name} would unpack from {stored:,} to {unpacked:,} bytes; at most {_MOST_FOLD}-fold is unpacked above "
            f"{_HARMLESS // 2**20} MiB: if its content is right, save it uncompressed"
        )
    free = available_memory()
    if unpacked > free:
        raise ValueError(
            f"{name} would take {unpacked / 2**30:.1f} GiB of memory, and {free / 2**30:.1f} GiB are free: save fewer "
            "samples"
        )


def check_zip(path: Path, file: IO[bytes]) -> None:
    """Apply :func:`check_unpacked` to all that a zip archive holds together.

    Args:
        path: for the error.
        file: the archive, open; it is left at its start.

    Raises:
        ValueError: it is refused.
        BadZipFile: it is damaged.
    """
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
    file.seek(0)
    # What an archive says of its members need not be true; it cannot hold more than its own size.
    stored = min(sum(member.compress_size for member in members), path.stat().st_size)
    check_unpacked(path, stored, sum(member.file_size for member in members))

"""The members of uncompressed .tar files, by their names and where they lie."""

import posixpath
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from wgan_lip.files import is_hidden, kind_by_name, read_regular, shown

_BLOCK = 512


@dataclass(frozen=True)
class MemberName:
    """A member's path, and what its parts say.

    Attributes:
        path: as the archive has it.
    """

    path: str

    @cached_property
    def folder(self) -> str:
        """What is before the last slash."""
        return self.path.rpartition("/")[0]

    @cached_property
    def name(self) -> str:
        """What follows the last slash."""
        return self.path.rpartition("/")[2]

    @cached_property
    def suffix(self) -> str:
        """From the last dot on, in lower case."""
        return posixpath.splitext(self.name)[1].lower()

    @cached_property
    def stem(self) -> str:
        """What comes before that."""
        return posixpath.splitext(self.name)[0]

    @cached_property
    def key(self) -> str:
        """Up to the first dot: what webdataset calls a sample by."""
        return self.name.partition(".")[0]

    @property
    def between(self) -> str:
        """What lies between key and suffix: ``.seg`` of ``0001.seg.png``."""
        return self.stem[len(self.key) :]

    @property
    def is_part(self) -> bool:
        """Whether it may be a part of the sample that its key names: ``0001.seg.png``, but not ``crop_0.7.png``."""
        return bool(self.between) and not self.between.replace(".", "").isdigit()

    @property
    def hidden(self) -> str:
        """What it is counted as, if it or a folder that it lies in is hidden; otherwise nothing."""
        for folder in self.folder.split("/"):
            if folder not in (".", "..") and is_hidden(folder):
                return f"in {folder}/"
        return kind_by_name(self.name) if is_hidden(self.name) else ""


def members_of(path: Path) -> list[tarfile.TarInfo]:
    """All members of an archive, in their order.

    Args:
        path: of a regular file.

    Raises:
        ValueError: damaged, cut off, compressed, or no archive.
    """
    members = []
    try:
        # "r:" opens nothing compressed, where a member could not be reached by its offset.
        with tarfile.open(path, "r:") as archive:
            for member in archive:
                if member.size < 0:
                    # Python would go back, and read the same member again without end.
                    raise tarfile.ReadError(f"a member of {member.size} bytes")
                members.append(member)
    # What tarfile was seen to raise on files with bytes missing or changed, beside its own.
    except (tarfile.TarError, ValueError, OverflowError) as error:
        raise ValueError(f"{shown(path)} is damaged, or not an uncompressed .tar file: {shown(str(error))}") from None
    end = members[-1].offset_data + -(-members[-1].size // _BLOCK) * _BLOCK if members else 0
    # An archive ends with a block of zeros; Python takes one that was cut off between two members for whole.
    if read_regular(path, end, _BLOCK) != bytes(_BLOCK):
        raise ValueError(f"{shown(path)} is damaged: it ends before its end mark")
    return members


def followed(member: tarfile.TarInfo, named: Mapping[str, tarfile.TarInfo]) -> tarfile.TarInfo | None:
    """The member itself, or what it is a link to in the same archive; None where that is not there.

    Args:
        member: of the archive.
        named: all its members, by their normalised paths.
    """
    seen = set()
    while member.issym() or member.islnk():
        seen.add(member.name)
        # A symbolic link starts at its own folder, a hard link at the archive's top.
        start = posixpath.dirname(member.name) if member.issym() else ""
        target = named.get(posixpath.normpath(posixpath.join(start, member.linkname)))
        if target is None or target.name in seen:
            return None
        member = target
    return member

"""Check that every bit of a zip archive of torch.save is as it was written."""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

# Note [every bit is checked]
# PyTorch does not compare the checksums of its archives, so a flipped bit changes a weight unnoticed. A checksum covers
# the content of a member, not its header and padding. But torch.save leaves no freedom there: members are stored one
# after the other without compression, dates are 0, padding is the letter Z. So each header must equal the one that
# torch.save writes, and each member must begin where the one before ends. Without compression, no content is larger
# than the file.

_LOCAL, _CENTRAL, _END = "<4s5H3I2H", "<4s6H3I5H2I", "<4s4H2IH"
_END_64, _LOCATOR_64 = "<4sQ2H2I4Q", "<4sIQI"
_MOST_32 = 0xFFFFFFFF
_UTF8, _DESCRIPTOR_FOLLOWS = 0x0800, 0x0008
_ZIP64, _PADDING = 1, struct.unpack("<H", b"FB")[0]
# Largest size of the list of members, which is read at once.
_MOST_LISTED = 1 << 26
_CHUNK = 1 << 20


class ArchiveError(ValueError):
    """A file that is not an intact archive of torch.save."""


@dataclass(frozen=True)
class Member:
    """A member of an archive.

    Attributes:
        name: without the folder that holds all members of the archive.
        size: in bytes.
        start: the position of its content in the file.
    """

    name: str
    size: int
    start: int


def check_archive(file: BinaryIO) -> dict[str, Member]:
    """Check that an archive is as torch.save wrote it (see the note above), and return its members by their names.

    Args:
        file: opened for reading; it is read in small parts.

    Raises:
        ArchiveError: it is damaged, or written by another program.
    """
    begin = _read(file, 0, 4)
    if begin != b"PK\x03\x04":
        raise ArchiveError(
            "it is not a zip archive, which torch.save has written since PyTorch 1.6 (load and save older files again "
            "with torch)"
        )
    entries = list(_entries(file))
    members: dict[str, Member] = {}
    for entry in entries:
        folder, slash, name = entry.name.partition("/")
        # PyTorch ignores case when it looks members up.
        if not slash or folder != entries[0].name.partition("/")[0] or name.lower() in members:
            raise ArchiveError(f"its member {entry.name!r} occurs twice, or lies in no folder")
        members[name.lower()] = _member(file, entry, name)
    return {member.name: member for member in members.values()}


@dataclass(frozen=True)
class _Entry:
    """A member's entry in the list at the end of the archive; ``end`` is the position of the next header."""

    name: str
    flags: int
    checksum: int
    size: int
    offset: int
    end: int


def _entries(file: BinaryIO) -> Iterator[_Entry]:
    """Yield the entries of the list of members."""
    count, offset, listed = _end(file)
    position, found = 0, []
    for _ in range(count):
        fields = _unpack(_CENTRAL, listed, position)
        signature, made, needed, flags, method, time, date, checksum, packed, size, *rest = fields
        name_size, extra_size, comment_size, disk, internal, external, start = rest
        position += struct.calcsize(_CENTRAL)
        name, extra = listed[position : position + name_size], listed[position + name_size :][:extra_size]
        position += name_size + extra_size
        wide = [value for value in (size, packed, start) if value == _MOST_32]
        if wide:
            size, packed, start = _wide(extra, size, packed, start)
        if (
            signature != b"PK\x01\x02"
            or any((made, needed, method, time, date, comment_size, disk, internal, external))
            or flags & ~_DESCRIPTOR_FOLLOWS != _UTF8
            or size != packed
            or (extra_size and not wide)
        ):
            raise ArchiveError("its list of members is not as torch.save writes it")
        found.append((name, flags, checksum, size, start))
    if position != len(listed):
        raise ArchiveError("its list of members does not have the length that its end gives")
    ends = [start for *_, start in found[1:]] + [offset]
    for (name, flags, checksum, size, start), end in zip(found, ends, strict=True):
        yield _Entry(_text(name), flags, checksum, size, start, end)
    if not found or found[0][-1] != 0:
        raise ArchiveError("its first member does not begin at the start of the file")


def _end(file: BinaryIO) -> tuple[int, int, bytes]:
    """Return the number of members, the position of their list, and the list."""
    length = file.seek(0, 2)
    position = length - struct.calcsize(_END)
    end = _read(file, position, struct.calcsize(_END))
    _, _, _, _, count, size, offset, _ = _unpack(_END, end)
    expected = struct.pack(_END, b"PK\x05\x06", 0, 0, count, count, size, offset, 0)
    at_64 = position - struct.calcsize(_LOCATOR_64) - struct.calcsize(_END_64)
    tail = _read(file, at_64, length - at_64) if at_64 > 0 else b""
    if tail.startswith(b"PK\x06\x06"):
        position = at_64
        *_, count, size, offset = _unpack(_END_64, tail)
        narrow = (min(count, 0xFFFF), min(count, 0xFFFF), min(size, _MOST_32), min(offset, _MOST_32))
        end = tail
        expected = (
            struct.pack(_END_64, b"PK\x06\x06", 44, 0x031E, 0x2D, 0, 0, count, count, size, offset)
            + struct.pack(_LOCATOR_64, b"PK\x06\x07", 0, position, 1)
            + struct.pack(_END, b"PK\x05\x06", 0, 0, *narrow, 0)
        )
    if end != expected or offset + size != position or size > _MOST_LISTED:
        raise ArchiveError("its end is cut off, or is not as torch.save writes it")
    return count, offset, _read(file, offset, size)


def _member(file: BinaryIO, entry: _Entry, name: str) -> Member:
    """Check the header and the checksum of a member."""
    header = _read(file, entry.offset, struct.calcsize(_LOCAL))
    *_, name_size, extra_size = _unpack(_LOCAL, header)
    again = {
        struct.pack(_LOCAL, b"PK\x03\x04", 0, entry.flags, 0, 0, 0, *values, name_size, extra_size)
        for values in ((0, 0, 0), (entry.checksum, *2 * (min(entry.size, _MOST_32),)), (0, *2 * (_MOST_32,)))
    }
    position = entry.offset + len(header)
    if header not in again or _read(file, position, name_size) != entry.name.encode():
        raise ArchiveError(f"the header of its member {entry.name!r} is not as torch.save writes it")
    large = entry.size >= _MOST_32 or entry.offset >= _MOST_32
    _check_extra(_read(file, position + name_size, extra_size), entry, large)
    start = position + name_size + extra_size
    if start + entry.size > entry.end:
        raise ArchiveError(f"its member {entry.name!r} does not have the length that its header gives")
    checksum, left = 0, entry.size
    while left:
        chunk = _read(file, start + entry.size - left, min(left, _CHUNK))
        checksum, left = zlib.crc32(chunk, checksum), left - len(chunk)
    if checksum != entry.checksum:
        raise ArchiveError(f"its member {entry.name!r} does not have the checksum that was written")
    after = _read(file, start + entry.size, entry.end - start - entry.size, most=24)
    descriptor = struct.pack("<4sI2Q" if large else "<4s3I", b"PK\x07\x08", checksum, entry.size, entry.size)
    # A member without content may have no descriptor.
    if after != (descriptor if entry.flags & _DESCRIPTOR_FOLLOWS and (entry.size or after) else b""):
        raise ArchiveError(f"the bytes after its member {entry.name!r} are not as torch.save writes them")
    return Member(name, entry.size, start)


def _check_extra(extra: bytes, entry: _Entry, large: bool) -> None:
    """Check that a header's extra field holds only padding and, in a large file, sizes."""
    while extra:
        kind, size = _unpack("<2H", extra)
        content, extra = extra[4 : 4 + size], extra[4 + size :]
        sizes = {struct.pack("<Q", value) for value in (0, entry.size, entry.offset)}
        is_padding = kind == _PADDING and content == b"Z" * size
        is_sizes = large and kind == _ZIP64 and {content[i : i + 8] for i in range(0, size, 8)} <= sizes
        if len(content) != size or not (is_padding or is_sizes):
            raise ArchiveError(f"the padding of its member {entry.name!r} is not as torch.save writes it")


def _wide(extra: bytes, *values: int) -> list[int]:
    """Return sizes with those that do not fit into 32 bits replaced by the extra field's 64-bit ones."""
    kind, size = _unpack("<2H", extra)
    wide = iter(_unpack(f"<{size // 8}Q", extra, 4))
    if kind != _ZIP64 or size != len(extra) - 4 or size != 8 * values.count(_MOST_32):
        raise ArchiveError("its list of members is not as torch.save writes it")
    return [next(wide) if value == _MOST_32 else value for value in values]


def _text(name: bytes) -> str:
    try:
        return name.decode()
    except UnicodeDecodeError:
        raise ArchiveError("the name of a member is not text in UTF-8") from None


def _unpack(form: str, content: bytes, position: int = 0) -> tuple[Any, ...]:
    try:
        return struct.unpack_from(form, content, position)
    except struct.error:
        raise ArchiveError("it is cut off") from None


def _read(file: BinaryIO, position: int, size: int, most: int = _MOST_LISTED) -> bytes:
    if not (position >= 0 and 0 <= size <= most):
        raise ArchiveError("it is cut off, or has bytes between its members")
    file.seek(position)
    content = file.read(size)
    if len(content) != size:
        raise ArchiveError("it is cut off")
    return content

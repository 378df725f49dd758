"""Archives as torch.save writes them, of members that somebody made up."""

import io
import zipfile
from collections.abc import Mapping

import torch


def saved(content: object) -> bytes:
    """What torch.save writes of a value."""
    file = io.BytesIO()
    torch.save(content, file)
    return file.getvalue()


def members_of(content: bytes) -> dict[str, bytes]:
    """Its members by their names, but for those that the writer adds by itself."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        found = {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}
    return {name: member for name, member in found.items() if name not in ("version", ".data/serialization_id")}


def rewritten(content: bytes, changes: Mapping[str, bytes]) -> bytes:
    """The same with other members, whose checksums are right."""
    file = io.BytesIO()
    writer = torch._C.PyTorchFileWriter(file)
    for name, member in {**members_of(content), **changes}.items():
        writer.write_record(name, member, len(member))
    writer.write_end_of_file()
    return file.getvalue()

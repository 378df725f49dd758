"""Names of files and folders in messages."""

import os


def shown(name: str | os.PathLike[str]) -> str:
    r"""A name as it may stand in a line of text: what cannot be printed is escaped (``\n``, ``\x1b``, ``\xff``).

    Args:
        name: any name that the system has; bytes that are no UTF-8 are there as Python's surrogates.
    """
    # Surrogates stand for single bytes, and are escaped as these.
    return "".join(c if c.isprintable() else _escaped(c) for c in os.fspath(name))


def _escaped(character: str) -> str:
    code = ord(character)
    return f"\\x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else repr(character)[1:-1]

"""Text of a file's or a user's, as it may be shown."""


def printable(text: str, kept: str = "") -> str:
    """The text with what does not show as a character written out, as in ``\\x1b``.

    So that it can neither steer a terminal, as escape sequences do, nor turn the direction of what is written after it.

    Args:
        text: any.
        kept: characters that stay as they are.
    """
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() or one in kept else _written(one) for one in text)


def _written(one: str) -> str:
    code = ord(one)
    # A byte of a file's name that is no text.
    return f"\\x{code - 0xDC00:02x}" if 0xDC80 <= code < 0xDD00 else one.encode("unicode_escape").decode()

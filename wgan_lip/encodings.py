"""Text on consoles whose encoding lacks some of its characters."""

import codecs
import re
import sys
import unicodedata

# What ``str.encode`` is told to do about them.
HANDLER = "wgan_lip.ascii"
# Those for which Unicode itself knows nothing in ASCII.
_ASCII = {
    "±": "+/-",
    "∓": "-/+",
    "≤": "<=",
    "≥": ">=",
    "≠": "!=",
    "≈": "~",
    "×": "x",
    "·": "*",
    "÷": "/",
    "⁄": "/",
    "−": "-",
    "‐": "-",
    "–": "-",
    "—": "--",
    "∞": "inf",
    "√": "sqrt",
    "∥": "||",
    "‖": "||",
    "µ": "u",
    "μ": "u",
    "→": "->",
    "←": "<-",
    "↔": "<->",
    "↦": "->",
    "⇒": "=>",
    "•": "*",
    "…": "...",
    "∈": "in",
    "∇": "grad ",
    "‘": "'",
    "’": "'",
    "“": '"',
    "”": '"',
    "°": " deg",
    "ß": "ss",
    "ø": "o",
    "Ø": "O",
    "ł": "l",
    "Ł": "L",
}
_SUPERSCRIPTS = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻", "0123456789+-", strict=True))


def ascii_text(text: str) -> str:
    """The same in ASCII, with its meaning: ``±`` is ``+/-``, ``≤`` is ``<=``, ``10⁻⁹`` is ``10^-9``, ``é`` is ``e``.

    Lines and corners of boxes are ``-``, ``|`` and ``+``. What has no such form is escaped: ``\\u4e2d``; and so is a
    byte of a file's name that was no text: ``\\xff``.

    Args:
        text: any.
    """
    powers = re.sub(
        f"[{''.join(_SUPERSCRIPTS)}]+", lambda found: "^" + "".join(_SUPERSCRIPTS[one] for one in found[0]), text
    )
    return "".join(map(_ascii, powers))


def _ascii(character: str) -> str:
    if character.isascii():
        return character
    if character in _ASCII:
        return _ASCII[character]
    code = ord(character)
    if 0x2500 <= code < 0x2580:
        words = set(unicodedata.name(character).split())
        ends = not words.isdisjoint(("VERTICAL", "UP", "DOWN")), not words.isdisjoint(("HORIZONTAL", "LEFT", "RIGHT"))
        return {(True, False): "|", (False, True): "-"}.get(ends, "+")
    if 0x2580 <= code < 0x25A0:
        return "#"
    if 0x2800 <= code < 0x2900:
        # Of a spinner.
        return "*"
    if 0xDC80 <= code < 0xDD00:
        return f"\\x{code - 0xDC00:02x}"
    parts = unicodedata.normalize("NFKD", character)
    plain = "".join(_ASCII.get(part, part) for part in parts if not unicodedata.combining(part))
    if plain.isascii() and plain:
        return plain
    return character.encode("ascii", "backslashreplace").decode()


def _replace(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return ascii_text(error.object[error.start : error.end]), error.end


def prints_unicode() -> bool:
    """Whether standard output takes all characters."""
    return (getattr(sys.stdout, "encoding", None) or "utf-8").lower().startswith("utf")


def print_in_ascii() -> None:
    """Have standard output and error print ``ascii_text`` of characters that their encodings lack."""
    for stream in (sys.stdout, sys.stderr):
        # A notebook's and a test's may be of other classes, and take all characters.
        if (reconfigure := getattr(stream, "reconfigure", None)) is not None:
            reconfigure(errors=HANDLER)


codecs.register_error(HANDLER, _replace)

"""Text that any terminal can show: without control characters, and in ASCII where an encoding lacks characters."""

import codecs
import re
import sys
import unicodedata

# The name of ``ascii_text`` as an error handler of ``str.encode``.
HANDLER = "wgan_lip.ascii"
# Characters that Unicode does not decompose into ASCII.
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


def printable(text: str, kept: str = "") -> str:
    """Return the text with control and format characters escaped, as ``\\x1b``.

    So it can neither send escape sequences to a terminal nor reverse the direction of the text after it.

    Args:
        text: of a file or a user.
        kept: characters that stay as they are.
    """
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() or one in kept else _escaped(one) for one in text)


def _escaped(character: str) -> str:
    # A byte of a file name that is not text is a lone surrogate.
    if 0xDC80 <= ord(character) < 0xDD00:
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode()


def ascii_text(text: str) -> str:
    """Return the text in ASCII with the same meaning.

    ``±`` becomes ``+/-``, ``≤`` becomes ``<=``, ``10⁻⁹`` becomes ``10^-9``, and ``é`` becomes ``e``. Lines and
    corners of boxes become ``-``, ``|`` and ``+``. Any other character is escaped, as ``\\u4e2d``, and so is a byte
    of a file name that is not text, as ``\\xff``.

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
        # Braille, of a spinner.
        return "*"
    parts = unicodedata.normalize("NFKD", character)
    plain = "".join(_ASCII.get(part, part) for part in parts if not unicodedata.combining(part))
    if plain.isascii() and plain:
        return plain
    return _escaped(character)


def _replace(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return ascii_text(error.object[error.start : error.end]), error.end


def prints_unicode() -> bool:
    """Return whether the encoding of standard output has all characters."""
    return (getattr(sys.stdout, "encoding", None) or "utf-8").lower().startswith("utf")


codecs.register_error(HANDLER, _replace)

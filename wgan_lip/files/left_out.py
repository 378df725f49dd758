"""What is left out where files of some kinds are sought: how many, of what kinds."""

from collections.abc import Mapping
from pathlib import Path

from wgan_lip.files.names import shown

_BY_NAME = (".DS_Store", "Thumbs.db", "desktop.ini")
_MOST = 8

TO_NOWHERE = "link to nowhere"
UPWARDS = "link to a folder above"
_PLURALS = {
    TO_NOWHERE: "links to nowhere",
    UPWARDS: "links to a folder above",
    **{kind: f"{kind}s" for kind in ("named pipe", "socket", "device")},
}


def is_hidden(name: str) -> bool:
    """Whether a file or folder is there for programs, not for people: ``.thumbnails``, ``._x.jpg``, ``__MACOSX``.

    Args:
        name: without the folder that it lies in.
    """
    return name.startswith(".") or name == "__MACOSX"


def kind_by_name(name: str) -> str:
    """What a file that is left out is counted as: its name, if it is well known, or how that ends.

    Args:
        name: without the folder that it lies in.
    """
    if name in _BY_NAME:
        return name
    if name.startswith("._"):
        return "._*"
    ending = Path(name).suffix.lower()
    return "hidden" if is_hidden(name) else ending if len(ending) > 1 else "without an ending"


def describe_left_out(counts: Mapping[str, int]) -> str:
    """``12 files left out: 10 .txt, 2 .DS_Store``; nothing where none was.

    Args:
        counts: of each kind.
    """
    total = sum(counts.values())
    if not total:
        return ""
    kinds = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    named = [f"{n:,} {shown(kind if n == 1 else _PLURALS.get(kind, kind))}" for kind, n in kinds[:_MOST] if n]
    if others := sum(n for _, n in kinds[_MOST:]):
        named.append(f"{others:,} of other kinds")
    return f"{total:,} file{'s' * (total > 1)} left out: {', '.join(named)}"

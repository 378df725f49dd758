"""Results of finished cells, on the disk."""

import hashlib
import json
import stat
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from wgan_lip.comparison.cell import Cell
from wgan_lip.replaced import replace_text


class Store:
    """A folder with one JSON file for each finished cell, named by the cell's key.

    A file appears whole or not at all, so that a comparison can be killed at any time, and so that several processes,
    on several machines that share the folder, may write to it.

    Args:
        folder: made if it does not exist.

    Raises:
        OSError: it cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        # Jobs need not start in the directory of the process that submits them.
        self.folder = folder.absolute()
        folder.mkdir(parents=True, exist_ok=True)

    def load(self, cell: Cell) -> dict[str, Any] | None:
        """A finished cell's result, or None.

        Args:
            cell: its labels need not be those under which it was run.

        Raises:
            ValueError: a file that this class has not written.
        """
        path = self._path(cell)
        if not path.exists():
            return None
        try:
            kept = json.loads(path.read_text(encoding="utf-8"))
            result: dict[str, Any] = kept["result"]
            if not isinstance(result, dict):
                raise TypeError(f"result is {result!r}")
            # Comparisons that were begun before there were digests lack them.
            digest = kept.get("digest", _digest(result))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise self.damaged(cell, repr(error)) from None
        if digest != _digest(result):
            raise self.damaged(cell, "its digest is of another result")
        return result

    def damaged(self, cell: Cell, reason: str) -> ValueError:
        """The error that says that a file is not what this class has written.

        Args:
            cell: whose result it should be.
            reason: what was found.
        """
        return ValueError(f"{self._path(cell)} is no result of a comparison: {reason[:200]}; remove it")

    def save(self, cell: Cell, result: dict[str, Any]) -> None:
        """Keep a finished cell's result.

        Args:
            cell: what was run.
            result: numbers and strings.
        """
        content = {"cell": asdict(cell), "result": result, "digest": _digest(result)}
        replace_text(self._path(cell), json.dumps(content, indent=1))

    def keys(self) -> set[str]:
        """Keys of the finished cells, as the folder is now, not as a network file system remembers it."""
        # Other people's folders cannot be changed: then it takes as long as the file system's cache lasts.
        with suppress(PermissionError):
            self.folder.chmod(stat.S_IMODE(self.folder.stat().st_mode))
        return {path.stem for path in self.folder.glob("*.json")}

    def _path(self, cell: Cell) -> Path:
        return self.folder / f"{cell.key}.json"


def _digest(result: Any) -> str:
    """What a result that was changed in one place has not."""
    return hashlib.blake2b(json.dumps(result, sort_keys=True).encode(), digest_size=8).hexdigest()

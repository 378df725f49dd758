"""Results of finished cells, on the disk."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from wgan_lip.comparison.cell import Cell


class Store:
    """A folder with one JSON file for each finished cell, named by the cell's key.

    A file appears whole or not at all, so that a comparison can be killed at any time.

    Args:
        folder: made if it does not exist.

    Raises:
        OSError: it cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
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
            kept = json.loads(path.read_text())
            result: dict[str, Any] = kept["result"]
        except (json.JSONDecodeError, KeyError, TypeError) as error:
            raise ValueError(f"{path} is no result of a comparison: {error!r}; remove it") from None
        return result

    def save(self, cell: Cell, result: dict[str, Any]) -> None:
        """Keep a finished cell's result.

        Args:
            cell: what was run.
            result: numbers and strings.
        """
        path = self._path(cell)
        temporary = path.with_suffix(".tmp")
        temporary.write_text(json.dumps({"cell": asdict(cell), "result": result}, indent=1))
        temporary.replace(path)

    def _path(self, cell: Cell) -> Path:
        return self.folder / f"{cell.key}.json"

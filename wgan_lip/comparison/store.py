"""Results of finished cells, on the disk."""

import hashlib
import json
import stat
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_type_hints

from wgan_lip.comparison.cell import Cell
from wgan_lip.evaluation import Estimate
from wgan_lip.replaced import replace_text


@dataclass(frozen=True)
class Outcome:
    """A finished cell.

    Attributes:
        cell: what was run.
        estimate: of its critic.
        seconds: wall time of the training.
        is_new: whether it was run now, not found in the store.
    """

    cell: Cell
    estimate: Estimate
    seconds: float
    is_new: bool


class Store:
    """A folder with one JSON file for each finished cell, named by the cell's key.

    A file appears whole or not at all, so a comparison can be killed at any time, and several processes, on several
    machines that share the folder, may write to it.

    Args:
        folder: made if it does not exist.

    Raises:
        OSError: it cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        # Jobs need not start in the directory of the process that submits them.
        self.folder = folder.absolute()
        folder.mkdir(parents=True, exist_ok=True)

    def load(self, cell: Cell) -> Outcome | None:
        """Return what is kept of a cell; None if it is not finished.

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
            result = kept["result"]
            # Comparisons that were begun before there were digests lack them.
            if kept.get("digest", digest := _digest(result)) != digest:
                raise ValueError("its digest is of another result")
            estimate = _checked(result["estimate"], get_type_hints(Estimate))
            _checked({"seconds of the training": result["seconds"]}, {"seconds of the training": float})
            return Outcome(cell, Estimate(**estimate), result["seconds"], is_new=False)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            reason = f"{type(error).__name__}: {error}"[:200]
            raise ValueError(f"{path} is not a result of a comparison: {reason}; remove it") from None

    def save(self, outcome: Outcome) -> None:
        """Keep a finished cell.

        Args:
            outcome: of the cell.
        """
        result = {"estimate": asdict(outcome.estimate), "seconds": outcome.seconds}
        content = {"cell": asdict(outcome.cell), "result": result, "digest": _digest(result)}
        replace_text(self._path(outcome.cell), json.dumps(content, indent=1))

    def keys(self) -> set[str]:
        """Return the keys of the finished cells, as the folder is now, not as a network file system remembers it."""
        # Other people's folders cannot be changed: then it takes as long as the file system's cache lasts.
        with suppress(PermissionError):
            self.folder.chmod(stat.S_IMODE(self.folder.stat().st_mode))
        return {path.stem for path in self.folder.glob("*.json")}

    def _path(self, cell: Cell) -> Path:
        return self.folder / f"{cell.key}.json"


def _digest(result: Any) -> str:
    """Return a hash that shows whether a result was changed after it was written."""
    return hashlib.blake2b(json.dumps(result, sort_keys=True).encode(), digest_size=8).hexdigest()


def _checked(values: dict[str, Any], types: dict[str, Any]) -> dict[str, Any]:
    """Return values that were read from JSON if each is an int, a float, or None where it may be."""
    for name, value in values.items():
        # An int stands for a float, too, if a float holds it.
        is_int = isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**1023
        if not is_int and (isinstance(value, int) or not isinstance(value, types[name])):
            raise TypeError(f"{name} is {value!r}, which is not {getattr(types[name], '__name__', types[name])}")
    return values

"""Which job runs which cell, on the disk, so that no cell is submitted twice."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from wgan_lip.comparison.squeue import Seen
from wgan_lip.replaced import own_folder, replace_text


@dataclass(frozen=True)
class _Place:
    """A cell's place in an array of jobs: the array's comment, the index, and the job's id once it is known."""

    comment: str
    index: int
    job: str | None

    def __post_init__(self) -> None:
        for value, kinds in ((self.comment, str), (self.index, int), (self.job, str | None)):
            if not isinstance(value, kinds) or isinstance(value, bool):
                raise TypeError(f"{value!r} is not {kinds}")


class Ledger:
    """Jobs by the keys of their cells, in a JSON file that is never half written.

    An array is announced before it is submitted: if the process dies before it knows the ids, the array is found in the
    queue by its comment.

    Args:
        path: of the file; its folder is made once something is written.

    Raises:
        ValueError: a file that this class has not written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._places: dict[str, _Place] = {}
        if path.exists():
            try:
                kept = json.loads(path.read_text(encoding="utf-8"))
                self._places = {key: _Place(**place) for key, place in kept.items()}
            except (ValueError, TypeError, AttributeError, RecursionError) as error:
                raise ValueError(f"{path} is no list of jobs: {repr(error)[:200]}; remove it") from None

    def announce(self, keys: Sequence[str], comment: str) -> None:
        """An array is going to be submitted.

        Args:
            keys: of the cells, in the array's order.
            comment: which no other array has.
        """
        self._places |= {key: _Place(comment, index, None) for index, key in enumerate(keys)}
        self._write()

    def submitted(self, jobs: Mapping[str, str]) -> None:
        """It was submitted.

        Args:
            jobs: ids by the cells' keys, all of which were announced.
        """
        for key, job in jobs.items():
            place = self._places[key]
            self._places[key] = _Place(place.comment, place.index, job)
        self._write()

    def forget(self, keys: Collection[str]) -> None:
        """Cells of which nothing more is expected.

        Args:
            keys: of any cells.
        """
        left = {key: place for key, place in self._places.items() if key not in keys}
        if len(left) < len(self._places):
            self._places = left
            self._write()

    def find(self, keys: Collection[str], queue: Mapping[str, Seen]) -> dict[str, str]:
        """Ids of jobs that were submitted, whether they have ended or not.

        Args:
            keys: of the cells.
            queue: for those whose submission was cut off.
        """
        found = {}
        for key in keys:
            place = self._places.get(key)
            job = place and (place.job or _job(place, queue))
            if job:
                found[key] = job
        return found

    def _write(self) -> None:
        own_folder(self._path.parent)
        replace_text(self._path, json.dumps({key: asdict(place) for key, place in self._places.items()}, indent=1))


def _job(place: _Place, queue: Mapping[str, Seen]) -> str | None:
    # A single job has no index.
    for job, seen in queue.items():
        if seen.comment == place.comment and job.partition("_")[2] in ("", str(place.index)):
            return job
    return None

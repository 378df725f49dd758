"""Results of cells: an outcome, which is kept on the disk, or a failure; summarised over seeds."""

import hashlib
import json
import math
import stat
import traceback
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean, stdev
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


@dataclass(frozen=True)
class Failure:
    """A cell that could not be finished.

    Attributes:
        cell: what was run.
        error: what went wrong, in one line.
        trace: the traceback.
    """

    cell: Cell
    error: str
    trace: str

    @classmethod
    def of(cls, cell: Cell, error: Exception) -> "Failure":
        """Return an error as a failure.

        Args:
            cell: what was run.
            error: what it raised.
        """
        line = " ".join(f"{type(error).__name__}: {error}".split())
        return cls(cell, line, "".join(traceback.format_exception(error)))


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


@dataclass(frozen=True)
class Summary:
    """One critic on one pair, over all seeds; what is not known is None.

    Attributes:
        pair: the pair's label.
        critic: the critic's label.
        seeds: how many finished.
        failed: how many failed.
        error: of the first that failed.
        is_proven: whether the estimate is a proven lower bound: the certified constant is about 1.
        mean: of the estimates; proven ones if ``is_proven``, else the raw ones of all seeds, which prove nothing.
        deviation: standard deviation over the seeds; 0 for one seed.
        standard_error: sampling error of one estimate, the root of the mean square over the seeds.
        estimates: one a seed.
        truth: W1 of the distributions.
        exact: W1 of samples, mean over the seeds; they share them.
        exact_standard_error: by how much it changes with the draw of the samples.
        cosine: of the gradient with an optimal one, mean.
        l2: mean squared distance of the gradients, mean.
        certified: the largest certified constant; None if none is known.
        seconds: mean wall time of a training.
    """

    pair: str
    critic: str
    seeds: int
    failed: int
    error: str | None
    is_proven: bool
    mean: float | None
    deviation: float | None
    standard_error: float | None
    estimates: tuple[float, ...]
    truth: float | None
    exact: float | None
    exact_standard_error: float | None
    cosine: float | None
    l2: float | None
    certified: float | None
    seconds: float | None


def summarize(results: Iterable[Outcome | Failure]) -> list[Summary]:
    """Return a summary for each critic on each pair, in the order in which they first come.

    Args:
        results: of ``run_cells``.
    """
    groups: dict[tuple[str, str], tuple[list[Outcome], list[Failure]]] = {}
    for result in results:
        done, failed = groups.setdefault((result.cell.pair, result.cell.critic), ([], []))
        if isinstance(result, Outcome):
            done.append(result)
        else:
            failed.append(result)
    return [_summary(pair, critic, *group) for (pair, critic), group in groups.items()]


def _summary(pair: str, critic: str, done: list[Outcome], failed: list[Failure]) -> Summary:
    estimates = [outcome.estimate for outcome in done]
    # One seed without a proof, and the row proves nothing.
    is_proven = bool(done) and all(e.critic is not None and e.uncertified is None for e in estimates)
    values = _known([e.critic if is_proven else _raw(e.critic, e.uncertified, e.certified) for e in estimates])
    errors = _known(
        [
            e.standard_error if is_proven else _raw(e.standard_error, e.uncertified_standard_error, e.certified)
            for e in estimates
        ]
    )
    constants = [e.certified for e in estimates]
    return Summary(
        pair=pair,
        critic=critic,
        seeds=len(done),
        failed=len(failed),
        error=failed[0].error if failed else None,
        is_proven=is_proven,
        mean=_mean(values),
        deviation=(stdev(values) if len(values) > 1 else 0.0) if values else None,
        standard_error=math.sqrt(fmean([e * e for e in errors])) if errors else None,
        estimates=tuple(values),
        truth=_mean(_known([e.truth for e in estimates])),
        exact=_mean(_known([e.exact for e in estimates])),
        exact_standard_error=_mean(_known([e.exact_standard_error for e in estimates])),
        cosine=_mean(_known([e.gradient_cosine for e in estimates])),
        l2=_mean(_known([e.gradient_l2 for e in estimates])),
        certified=max(_known(constants)) if constants and None not in constants else None,
        seconds=_mean([outcome.seconds for outcome in done]),
    )


def _raw(proven: float | None, uncertified: float | None, certified: float | None) -> float | None:
    """Return the estimate undivided by L, also for a seed that is proven: a mean is of one kind of number."""
    if uncertified is not None or proven is None or certified is None:
        return uncertified
    return proven * certified


def _known(values: Sequence[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def _mean(values: Sequence[float]) -> float | None:
    return fmean(values) if values else None

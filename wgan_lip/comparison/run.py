"""Running cells: those that are kept are not run again."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, get_type_hints

from wgan_lip.comparison.cell import Cell
from wgan_lip.comparison.launcher import Launcher, Processes
from wgan_lip.comparison.store import Store
from wgan_lip.comparison.task import Failure, Result, TrainAndKeep
from wgan_lip.evaluation import Estimate


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


def run_cells(cells: Sequence[Cell], store: Store, launcher: Launcher | None = None) -> Iterator[Outcome | Failure]:
    """Yield each cell's outcome: first those that are in the store, then the others as they end.

    Each cell is trained on one thread, so that its result does not depend on the launcher; cells that differ in their
    labels only are trained once. A cell that fails is yielded as a Failure and not kept; it will be tried again.

    Args:
        cells: what to run.
        store: where finished cells are found and kept.
        launcher: where they are run: one after another in this process if None.

    Raises:
        ValueError: a file in the store that is no result.
        OSError: the launcher's, such as a cluster that does not answer.
        KeyboardInterrupt: at Ctrl-C, with what is finished kept; so does SIGTERMException, where this process trains.
    """
    missing: dict[str, list[Cell]] = {}
    for cell in cells:
        kept = store.load(cell)
        if kept is None:
            missing.setdefault(cell.key, []).append(cell)
        else:
            yield _outcome(cell, kept, store, is_new=False)
    launcher = launcher or Processes()
    for trained, result in launcher(TrainAndKeep(store), [same[0] for same in missing.values()]):
        for cell in missing[trained.key]:
            yield (
                replace(result, cell=cell)
                if isinstance(result, Failure)
                else _outcome(cell, result, store, is_new=True)
            )


def _outcome(cell: Cell, result: Result, store: Store, is_new: bool) -> Outcome:
    try:
        estimate, seconds = Estimate(**result["estimate"]), result["seconds"]
    except (KeyError, TypeError) as error:
        raise store.damaged(cell, repr(error)) from None
    values = {**vars(estimate), "seconds of the training": seconds}
    hints = {**get_type_hints(Estimate), "seconds of the training": float}
    for name, value in values.items():
        if not _is_a(value, hints[name]):
            raise store.damaged(
                cell, f"{name} is {value!r}, which is not {getattr(hints[name], '__name__', hints[name])}"
            )
    return Outcome(cell, estimate, seconds, is_new)


def _is_a(value: Any, kind: Any) -> bool:
    """Whether a value that was read from JSON is an int, a float, or None where it may be."""
    if isinstance(value, int):
        # It stands for a float, too, if a float holds it.
        return not isinstance(value, bool) and abs(value) < 2**1023
    return isinstance(value, kind)

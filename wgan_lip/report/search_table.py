"""The runs of a search, the best first, each score beside what sampling does to it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from wgan_lip.report.records import NoEvaluationError, read_records

# What is in all names, and so tells nothing.
_SHARED = ("init_args", "model", "data")


@dataclass(frozen=True)
class Found:
    """One run of a search.

    Attributes:
        run: its name.
        values: what was drawn for it, by dotted key.
        score: the last value of the metric by which runs are judged; None if it has none.
        floor: the noise floor then, if it was logged.
        population: the bracket of the population W1 then, if it was logged.
        finished: whether the run came to its end.
    """

    run: str
    values: Mapping[str, Any]
    score: float | None
    floor: float | None
    population: tuple[float | None, float | None]
    finished: bool


def read_found(folder: Path, values: Mapping[str, Any], metric: str, finished: bool) -> Found:
    """A run of a search, from its folder.

    Args:
        folder: of the run; it need not be there.
        values: what was drawn for it.
        metric: by which runs are judged.
        finished: whether the run came to its end.

    Raises:
        OSError: metrics.csv cannot be read.
        ValueError: it is damaged.
    """
    try:
        last = read_records(folder / "metrics.csv", metric)[-1]
    except (FileNotFoundError, NoEvaluationError):
        last = {}
    known = {name: float(value) for name, value in last.items() if value}
    population = (known.get("w1/population_lower"), known.get("w1/population_upper"))
    return Found(folder.name, values, known.get(metric), known.get("w1/noise_floor"), population, finished)


def search_table(found: Sequence[Found], metric: str, minimize: bool) -> Table:
    """The table of a search: finished runs by their score, then the others.

    Args:
        found: the runs.
        metric: by which they are judged.
        minimize: whether less of it is better.
    """
    table = Table(
        title=f"{len(found)} runs by their last {metric}, the {'least' if minimize else 'greatest'} first",
        caption=(
            f"The best of {len(found)} is chosen for its luck, too: its score is biased to the better. "
            "Train it again with other seeds (--seed_everything) before it is believed."
        ),
    )
    for heading in ("run", metric, "floor", "population"):
        table.add_column(heading, justify="left" if heading == "run" else "right", no_wrap=True)
    table.add_column("drawn", overflow="fold")
    sign = 1 if minimize else -1
    ranked = sorted(found, key=lambda run: (not run.finished, math.inf if run.score is None else sign * run.score))
    for run in ranked:
        table.add_row(
            run.run if run.finished else f"{run.run} (not finished)",
            "-" if run.score is None else f"{run.score:.4f}",
            "-" if run.floor is None else f"{run.floor:.4f}",
            _bracket(*run.population),
            " ".join(f"{short_key(key)}={_short(value)}" for key, value in run.values.items()),
        )
    return table


def short_key(key: str) -> str:
    """A dotted key without what all keys share.

    Args:
        key: such as ``model.init_args.critic_optimizer.init_args.lr``.
    """
    return ".".join(part for part in key.split(".") if part not in _SHARED)


def _bracket(lower: float | None, upper: float | None) -> str:
    if lower is None and upper is None:
        return "-"
    return f"{lower or 0:.2f} - " + ("inf" if upper is None else f"{upper:.2f}")


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)

"""What a run's folder holds for the page: the numbers of its metrics.csv, its pictures and its config."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from wgan_lip.metrics import Metric
from wgan_lip.runs import finished_step, read_metrics_file
from wgan_lip.yaml_text import read_yaml


@dataclass(frozen=True)
class Row:
    """What was logged at one step.

    ``row["w1/exact"]`` is a metric's value, None where it was not logged or is not finite.

    Attributes:
        step: of the training.
        values: by the metric's name; finite.
    """

    step: int
    values: Mapping[str, float]

    def __getitem__(self, name: str) -> float | None:
        return self.values.get(name)

    def spread(self, metric: Metric) -> tuple[float, float] | None:
        """The confidence interval of a metric, or two standard errors on either side; None where it has neither.

        Args:
            metric: of the run.
        """
        value, error = self[metric.name], self[metric.error]
        if value is None:
            return None
        if error is not None:
            return value - 2 * error, value + 2 * error
        low, high = (self[end] for end in metric.ends or ("", ""))
        return None if low is None or high is None else (low, high)


@dataclass(frozen=True)
class History:
    """All that a run logged.

    Attributes:
        path: of its metrics.csv.
        step_name: the counter over which the kind of training draws its figures.
        rows: one for each step at which something was logged, ascending.
    """

    path: Path
    step_name: str
    rows: Sequence[Row]

    @property
    def step_title(self) -> str:
        """The counter in words: "generator step"."""
        return self.step_name.replace("_", " ")

    @cached_property
    def names(self) -> list[str]:
        """The names of all metrics, in the order in which they were logged first."""
        return list(dict.fromkeys(name for row in self.rows for name in row.values))

    def having(self, name: str) -> list[Row]:
        """The rows in which a metric was logged; its evaluations, if each logs it.

        Args:
            name: of the metric.

        Raises:
            ValueError: it was never logged.
        """
        rows = [row for row in self.rows if name in row.values]
        if not rows:
            raise ValueError(f"{self.path} holds no evaluation: {name} was never logged")
        return rows


def read_history(metrics_csv: Path) -> History:
    """Read a run's metrics.csv, which may be growing.

    Args:
        metrics_csv: the file that ``MetricsCSV`` wrote; its first column that ends in ``_step`` counts the steps.

    Raises:
        ValueError: nothing was logged, or the file is damaged.
        OSError: it cannot be read.
    """
    found = read_metrics_file(metrics_csv)
    # Callbacks of other packages may log before the module does.
    step_name = next((name for name in found.columns if name.endswith("_step")), "")
    if not step_name or not found.rows:
        raise ValueError(f"{metrics_csv} holds no steps of a training")
    by_step: dict[int, dict[str, float]] = {}
    for row in found.rows:
        if step_name not in row:
            # Logged by a callback that does not count the module's steps, such as Lightning's LearningRateMonitor.
            continue
        values = {name: float(text) for name, text in row.items() if not name.endswith("_step")}
        # Figures and JSON have no NaN or infinity.
        finite = {name: value for name, value in values.items() if math.isfinite(value)}
        by_step.setdefault(int(row[step_name]), {}).update(finite)
    rows = [Row(step, values) for step, values in sorted(by_step.items()) if values]
    if not rows:
        raise ValueError(f"{metrics_csv} holds no numbers yet")
    return History(metrics_csv, step_name, rows)


# Pictures of each kind that the page holds at most.
_MOST_PICTURES = 24


@dataclass(frozen=True)
class Picture:
    """A picture that was drawn during the training.

    Attributes:
        kind: what it shows: generated, averaged, interpolations, neighbours, critic, real.
        step: at which it was drawn; None for what does not change.
        path: a PNG file.
    """

    kind: str
    step: int | None
    path: Path


@dataclass(frozen=True)
class RunRecord:
    """One run.

    Attributes:
        folder: of the run.
        label: the experiment's name and the run's.
        history: all that was logged.
        config: as it was resolved; empty if it was not kept.
        pictures: of each kind in the order of their steps.
        pictures_left_out: how many there are besides.
        finished: the step at which the training was finished; None if it was not.
    """

    folder: Path
    label: str
    history: History
    config: dict[str, Any]
    pictures: tuple[Picture, ...]
    pictures_left_out: int
    finished: int | None

    def setting(self, *keys: str) -> Any:
        """A value of the config by its keys, whether or not ``init_args`` stand between them; None if there is none.

        Args:
            keys: from the outermost to the innermost.
        """
        value: Any = self.config
        for key in keys:
            if isinstance(value, dict) and key not in value:
                value = value.get("init_args")
            value = value.get(key) if isinstance(value, dict) else None
        return value


def read_run(folder: Path) -> RunRecord:
    """Read a run; nothing that its config names is built or imported.

    Args:
        folder: of the run, as ``wgan-lip fit`` makes it.

    Raises:
        ValueError: it holds no metrics.csv, or one without numbers, or a config that is no YAML mapping.
        OSError: it cannot be read.
    """
    folder = folder.absolute()
    metrics_csv = folder / "metrics.csv"
    if not metrics_csv.is_file():
        raise ValueError(f"{folder} is not the folder of a run: there is no metrics.csv in it")
    step = finished_step(folder)
    pictures = _pictures(folder)
    kept = _thinned(pictures)
    return RunRecord(
        folder=folder,
        label=f"{folder.parent.name}/{folder.name}",
        history=read_history(metrics_csv),
        config=_config(folder / "config.yaml"),
        pictures=tuple(kept),
        pictures_left_out=len(pictures) - len(kept),
        finished=None if step < 0 else step,
    )


def _config(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        config = read_yaml(path.read_text(encoding="utf-8"), str(path))
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not text: {error}") from None
    if not isinstance(config, dict):
        raise ValueError(f"{path} must hold a mapping of options; got a {type(config).__name__}")
    return config


def _pictures(folder: Path) -> list[Picture]:
    found = []
    for where, plain in (("samples", "generated"), ("critic", "critic")):
        for path in sorted((folder / where).glob("*.png")):
            # 0000250.png, averaged-0000250.png, real.png
            named = re.fullmatch(r"(?:([a-z]+)-)?(\d+)|([a-z]+)", path.stem)
            if named:
                step = int(named[2]) if named[2] else None
                found.append(Picture(named[1] or named[3] or plain, step, path))
    return found


def _thinned(pictures: list[Picture]) -> list[Picture]:
    kept = []
    for kind in dict.fromkeys(picture.kind for picture in pictures):
        of_kind = [picture for picture in pictures if picture.kind == kind]
        most = min(len(of_kind), _MOST_PICTURES)
        # Evenly spread, the first and the last among them.
        kept += [of_kind[round(i * (len(of_kind) - 1) / max(1, most - 1))] for i in range(most)]
    return kept

"""Sweeps in the format of ``wandb sweep``, and combinations drawn from them without its server."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats
from sklearn.model_selection import ParameterSampler

from wgan_lip.yaml_text import read_yaml

_ARGUMENTS = "${args}"


@dataclass(frozen=True)
class Choice:
    """The distribution of one of several values."""

    values: Sequence[Any]
    probabilities: Sequence[float] | None = None

    def rvs(self, random_state: np.random.RandomState) -> Any:
        """One of the values."""
        return self.values[random_state.choice(len(self.values), p=self.probabilities)]


@dataclass(frozen=True)
class Number:
    """A distribution of scipy's as Python's numbers, rounded to multiples of a step unless that is 0."""

    distribution: Any
    step: float = 0

    def rvs(self, random_state: np.random.RandomState) -> float:
        """A number."""
        value = self.distribution.rvs(random_state=random_state)
        if not self.step:
            return np.asarray(value).item()
        multiple = round(value / self.step) * self.step
        # A product of floats has spurious digits.
        return multiple if isinstance(multiple, int) else float(f"{multiple:.12g}")


@dataclass(frozen=True)
class Sweep:
    """A sweep of W&B's over arguments of ``wgan-lip fit``.

    Attributes:
        command: arguments of ``fit`` that all runs have.
        metric: of metrics.csv, by which runs are ranked.
        minimize: whether less of it is better.
        parameters: distributions by their dotted keys.
    """

    command: tuple[str, ...]
    metric: str
    minimize: bool
    parameters: Mapping[str, Choice | Number]

    def draw(self, n: int, seed: int) -> list[dict[str, Any]]:
        """Draw combinations: the first of them are the same for any n."""
        return list(ParameterSampler(self.parameters, n, random_state=seed))


def load_sweep(path: Path) -> Sweep:
    """Read a sweep's file, in the format of ``wandb sweep``.

    Args:
        path: of the file.

    Raises:
        ValueError: it is not of a sweep of ``wgan-lip fit``, or a parameter cannot be drawn.
        OSError: it cannot be read.
    """
    try:
        content = read_yaml(path.read_text(encoding="utf-8"), str(path))
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not text: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} must hold a mapping, as a sweep of W&B's does; got a {type(content).__name__}")
    metric, command, parameters = (content.get(key) for key in ("metric", "command", "parameters"))
    if not isinstance(metric, dict) or not metric.get("name") or metric.get("goal") not in ("minimize", "maximize"):
        raise ValueError(f"{path}: metric must have a name and a goal, minimize or maximize; got {metric}")
    words = [str(word) for word in command or []]
    program = next((i for i, pair in enumerate(pairwise(words)) if pair == ("wgan-lip", "fit")), -1)
    if _ARGUMENTS not in words or program < 0:
        raise ValueError(f"{path}: command must be [..., wgan-lip, fit, ..., ${{args}}]; got {words}")
    if not isinstance(parameters, dict) or not all(isinstance(how, dict) for how in parameters.values()):
        raise ValueError(f"{path}: parameters must be mappings by their dotted keys; got {parameters}")
    given = tuple(word for word in words[program + 2 :] if word != _ARGUMENTS)
    distributions = {key: distribution(key, how) for key, how in parameters.items()}
    return Sweep(given, str(metric["name"]), metric["goal"] == "minimize", distributions)


def distribution(key: str, how: Mapping[str, Any]) -> Choice | Number:
    """The distribution of a parameter.

    Args:
        key: of the parameter, for errors.
        how: as W&B describes it: ``value``, ``values`` or ``distribution`` with ``min``, ``max`` and ``q``.

    Raises:
        ValueError: it cannot be drawn.
    """
    if "value" in how or "values" in how:
        return Choice(how.get("values", [how.get("value")]), how.get("probabilities"))
    low, high = _number(key, how, "min"), _number(key, how, "max")
    whole = isinstance(low, int) and isinstance(high, int)
    name = how.get("distribution", "int_uniform" if whole else "uniform")
    known = ("uniform", "int_uniform", "log_uniform_values", "q_uniform", "q_log_uniform_values")
    if name not in known:
        raise ValueError(f"{key}: distribution must be one of {', '.join(known)}; got {name}")
    if not low < high:
        raise ValueError(f"{key}: min must be below max; got min={low}, max={high}")
    if "log" in name and low <= 0:
        raise ValueError(f"{key}: {name} needs min > 0; got min={low}")
    if name == "int_uniform":
        return Number(stats.randint(low, high + 1))
    drawn = stats.loguniform(low, high) if "log" in name else stats.uniform(low, high - low)
    return Number(drawn, _number(key, {"q": 1, **how}, "q") if name.startswith("q_") else 0)


def _number(key: str, how: Mapping[str, Any], name: str) -> float:
    value = how.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{key}: {name} must be a number; got {value!r} (YAML reads 1e-4 as text, 1.0e-4 as a number)")
    return value


def as_arguments(values: Mapping[str, Any]) -> list[str]:
    """A combination as arguments of ``fit``, as W&B's agent writes them.

    Args:
        values: by dotted key.
    """
    return [f"--{key}={value}" for key, value in values.items()]

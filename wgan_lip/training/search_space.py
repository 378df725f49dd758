"""What a sweep's file says, and combinations drawn from it without the server that the file is written for."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from wgan_lip.yaml_text import read_yaml

_PROGRAM = ["wgan-lip", "fit"]
_ARGUMENTS = "${args}"


@dataclass(frozen=True)
class Sweep:
    """A sweep of W&B's over arguments of ``wgan-lip fit``.

    Attributes:
        command: arguments of ``fit`` that all runs have.
        metric: of metrics.csv, by which runs are judged.
        minimize: whether less of it is better.
        parameters: by their dotted key, how each is drawn.
    """

    command: tuple[str, ...]
    metric: str
    minimize: bool
    parameters: Mapping[str, Mapping[str, Any]]

    def draw(self, seed: int, index: int) -> dict[str, Any]:
        """One combination, which depends on nothing but its seed and its number.

        Args:
            seed: of the search.
            index: of the combination, from 0.

        Raises:
            ValueError: a parameter that cannot be drawn.
        """
        generator = np.random.default_rng((seed, index))
        return {key: _draw(key, how, generator) for key, how in self.parameters.items()}


def load_sweep(path: Path) -> Sweep:
    """Read a sweep's file.

    Args:
        path: in the format of ``wandb sweep``.

    Raises:
        ValueError: it is not of a sweep of ``wgan-lip fit``.
        OSError: it cannot be read.
    """
    try:
        content = read_yaml(path.read_text(encoding="utf-8"), str(path))
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not text: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} holds no sweep")
    metric = content.get("metric")
    if not isinstance(metric, dict) or not metric.get("name") or metric.get("goal") not in ("minimize", "maximize"):
        raise ValueError(f"{path}: metric must have a name and a goal, minimize or maximize; got {metric}")
    command = [str(word) for word in content.get("command") or []]
    if _ARGUMENTS not in command or command[(at := _index(command, _PROGRAM[0])) : at + 2] != _PROGRAM:
        raise ValueError(f"{path}: command must be [..., wgan-lip, fit, ..., ${{args}}]; got {command}")
    parameters = content.get("parameters")
    if not isinstance(parameters, dict) or not all(isinstance(how, dict) for how in parameters.values()):
        raise ValueError(f"{path}: parameters must be given by their dotted keys; got {parameters}")
    given = tuple(word for word in command[at + 2 :] if word != _ARGUMENTS)
    return Sweep(given, str(metric["name"]), metric["goal"] == "minimize", parameters)


def as_arguments(values: Mapping[str, Any]) -> list[str]:
    """A combination as arguments of ``fit``, as W&B's agent writes them.

    Args:
        values: by dotted key.
    """
    return [f"--{key}={value}" for key, value in values.items()]


def _index(words: list[str], word: str) -> int:
    return words.index(word) if word in words else len(words)


def _draw(key: str, how: Mapping[str, Any], generator: np.random.Generator) -> Any:
    if "value" in how:
        return how["value"]
    if "values" in how:
        return how["values"][int(generator.choice(len(how["values"]), p=how.get("probabilities")))]
    low, high = (_number(key, how, bound) for bound in ("min", "max"))
    if low > high:
        raise ValueError(f"{key}: min must not exceed max; got min={low}, max={high}")
    whole = isinstance(low, int) and isinstance(high, int)
    name = how.get("distribution", "int_uniform" if whole else "uniform")
    if name not in _DISTRIBUTIONS:
        raise ValueError(f"{key}: distribution must be one of {', '.join(_DISTRIBUTIONS)}; got {name}")
    if "log" in name and low <= 0:
        raise ValueError(f"{key}: {name} must have min > 0; got min={low}")
    value = _DISTRIBUTIONS[name](generator, low, high)
    if not name.startswith("q_"):
        return value
    step = _number(key, how, "q") if "q" in how else 1
    rounded = round(value / step) * step
    # Without the digits that only come of the multiplication.
    return rounded if isinstance(rounded, int) else float(f"{rounded:.12g}")


def _number(key: str, how: Mapping[str, Any], name: str) -> int | float:
    value = how.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(
            f"{key}: {name} must be a number; got {value!r} (YAML takes 1e-4 for text, 1.0e-4 for a number)"
        )
    return value


def _uniform(generator: np.random.Generator, low: float, high: float) -> float:
    return float(generator.uniform(low, high))


def _log_uniform(generator: np.random.Generator, low: float, high: float) -> float:
    return min(high, max(low, math.exp(generator.uniform(math.log(low), math.log(high)))))


def _int_uniform(generator: np.random.Generator, low: float, high: float) -> int:
    return int(generator.integers(int(low), int(high), endpoint=True))


_DISTRIBUTIONS: dict[str, Callable[[np.random.Generator, float, float], int | float]] = {
    "uniform": _uniform,
    "int_uniform": _int_uniform,
    "log_uniform_values": _log_uniform,
    "q_uniform": _uniform,
    "q_log_uniform_values": _log_uniform,
}
